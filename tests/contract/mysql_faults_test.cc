#include "das/engines/mysql/connection.h"
#include "tests/contract/mysql_store.h"
#include "tests/support/with_mutant.h"

/// Faults that only the server engine can have.
namespace hy::das::contract {
namespace {

class MysqlFaults : public testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    PrivateServers* servers = PrivateServers::get(why);
    if (servers == nullptr) GTEST_SKIP() << why;
    store_ = std::make_unique<MysqlStore>(*servers);
    ASSERT_TRUE(store_->make()->start().has_value());
  }
  /// As hy-das connects: without the administrator's right to write on a read-only server.
  std::unique_ptr<mysql::MysqlEngine> engine_of_a_plain_user() {
    const auto options = store_->servers().options(store_->database());
    store_->servers().run_sql("CREATE OR REPLACE USER plain@localhost IDENTIFIED BY '" +
                              std::string(options.connect.password.reveal()) + "'");
    store_->servers().run_sql("GRANT ALL PRIVILEGES ON " + store_->database() +
                              ".* TO plain@localhost");
    return store_->make([](mysql::MysqlOptions& change) {
      change.connect.user = "plain";
      change.auto_schema = false;
    });
  }
  void make_pair(StoreSession& session) {
    const std::vector<NewAccount> two(2);
    const auto made = session.accounts().create(two);
    ASSERT_OK(made);
    a_ = *(*made)[0];
    b_ = *(*made)[1];
    ASSERT_OK(session.membership().open_pair(a_, b_));
  }
  AppendItem message(std::uint64_t number) const {
    AppendItem item;
    item.conv = ConversationId::pair(a_, b_);
    item.sender = a_;
    put_be(item.client_msg_id.bytes.data(), number);
    put_be(item.payload_hash.data(), number);
    item.member_version = 1;
    item.body.bytes = "x";
    return item;
  }

  std::unique_ptr<MysqlStore> store_;
  Uid a_, b_;
};

/// While it lives, the server takes writes from administrators alone.
class ReadOnlyServer {
 public:
  explicit ReadOnlyServer(PrivateServers& servers) : servers_(servers) {
    servers_.run_sql("SET GLOBAL read_only = 1");
  }
  ~ReadOnlyServer() { servers_.run_sql("SET GLOBAL read_only = 0"); }

 private:
  PrivateServers& servers_;
};

TEST_F(MysqlFaults, AStoreOfTheFirstSchemaIsBroughtUpWithAllItsMessages) {
  const std::string database = store_->database();
  // What step 1 alone would have made.
  store_->servers().run_sql("ALTER TABLE " + database +
                            ".message DROP INDEX identity, ADD UNIQUE KEY identity (conv, sender, "
                            "client_msg_id)");
  store_->servers().run_sql("DROP TABLE " + database + ".batch_place");
  store_->servers().run_sql("DELETE FROM " + database + ".schema_version WHERE version > 1");
  const auto by_hand = [](mysql::MysqlOptions& change) { change.auto_schema = false; };
  EXPECT_CODE(store_->make(by_hand)->start(), Errc::kSchemaTooOld);
  ASSERT_TRUE(store_->make()->start().has_value());
  EXPECT_TRUE(store_->make(by_hand)->start().has_value());

  auto engine = store_->make();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  ASSERT_OK(writer->messages().append_one(message(2)));
  ASSERT_OK(writer->messages().append_one(message(1)));
  // A crash between the steps and their records: they are run again, over rows.
  store_->servers().run_sql("DELETE FROM " + database + ".schema_version WHERE version > 1");
  ASSERT_TRUE(store_->make()->schema_apply().has_value());
  const auto repeat = writer->messages().append_one(message(1));
  ASSERT_OK(repeat);
  EXPECT_TRUE(repeat->stored.repeat);
  EXPECT_EQ(repeat->stored.seq.value(), 2U);
  const AppendItem again = message(2);
  const AppendItem* one = &again;
  EXPECT_EQ(writer->messages().append_fast({&one, 1}).result, FastResult::kRolledBack);

  auto connection =
      mysql::Connection::open(store_->servers().options(database).connect, mysql::Use::kRead);
  ASSERT_OK(connection);
  const auto columns =
      (*connection)
          ->query((*connection)
                      ->prepared("SELECT GROUP_CONCAT(column_name ORDER BY seq_in_index) FROM "
                                 "information_schema.statistics "
                                 "WHERE table_schema = DATABASE() AND table_name = 'message' AND "
                                 "index_name = 'identity' AND "
                                 "non_unique = 0"));
  ASSERT_TRUE(columns->next());
  EXPECT_EQ(std::string(columns->getString(1)), "client_msg_id,sender,conv");
}

/// A packed batch is cut apart by the rows of batch_place: with one of them missing, a message
/// would be dropped without a word.
TEST_F(MysqlFaults, ABatchIsNotStoredInPart) {
  const std::string table = store_->database() + ".batch_place";
  auto engine = store_->make();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  std::vector<AppendItem> items;
  for (std::uint64_t i = 1; i <= 40; ++i) items.push_back(message(i));
  std::vector<const AppendItem*> batch;
  for (const AppendItem& item : items) batch.push_back(&item);
  store_->servers().run_sql("DELETE FROM " + table + " WHERE n = 17");
  EXPECT_EQ(writer->messages().append_fast(batch).result, FastResult::kRolledBack);
  EXPECT_FALSE(writer->is_broken());
  store_->servers().run_sql("INSERT INTO " + table + " VALUES (17, 257, 321)");
  const FastAppend done = writer->messages().append_fast(batch);
  ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
  EXPECT_EQ(done.stored.back().seq.value(), 40U) << "the first try raised the head";
}

/// Events that were cleared away: a device that lacks one of them is told so, and nobody else.
TEST_F(MysqlFaults, AHoleInTheEventsIsTooFarForThoseWhoNeedThem) {
  auto engine = store_->make();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  for (const bool on : {true, false, true, false})
    ASSERT_OK(writer->membership().set_block(a_, b_, on));
  const auto cleared_to = [&](const char* useq) {
    store_->servers().run_sql("DELETE FROM " + store_->database() +
                              ".user_event WHERE useq <= " + useq);
  };
  const auto read = [&](std::uint64_t after) {
    return writer->user_log().read(a_, Useq{after}, 10).value_or(UserEvents{});
  };
  cleared_to("2");
  EXPECT_TRUE(read(1).too_far);
  EXPECT_TRUE(read(1).events.empty());
  EXPECT_EQ(read(2).events.size(), 2U);
  EXPECT_FALSE(read(2).too_far);
  cleared_to("4");
  EXPECT_TRUE(read(3).too_far);
  EXPECT_FALSE(read(4).too_far) << "nothing is missing";
  EXPECT_EQ(read(4).head.value(), 4U);
  EXPECT_TRUE(read(5).too_far) << "of another store";
}

TEST_F(MysqlFaults, AServerThatBecomesReadOnlyEndsTheSession) {
  auto engine = engine_of_a_plain_user();
  auto opened = engine->open_writer();
  ASSERT_OK(opened);
  make_pair(**opened);
  ASSERT_OK((*opened)->messages().append_one(message(1)));
  auto other = engine->open_writer();
  ASSERT_OK(other);
  {
    const ReadOnlyServer read_only(store_->servers());
    const AppendItem item = message(2);
    const AppendItem* one = &item;
    const auto fast = (*opened)->messages().append_fast({&one, 1});
    EXPECT_EQ(fast.result, FastResult::kFailed);
    EXPECT_EQ(fast.why.code, Errc::kStoreDown) << fast.why.detail;
    EXPECT_TRUE((*opened)->is_broken()) << "a lane would go on asking the same session";
    EXPECT_CODE((*other)->facts(), Errc::kStoreDown);
    EXPECT_TRUE((*other)->is_broken());
    EXPECT_CODE(engine->open_writer(), Errc::kStoreDown);
    EXPECT_TRUE(engine->open_reader().has_value()) << "history can be read";
  }
  auto again = engine->open_writer();
  ASSERT_OK(again);
  EXPECT_EQ((*again)->messages().append_one(message(2))->stored.seq.value(), 2U);
}

#if defined(HY_TEST_HOOKS)

/// While it lives, the server ends das's connections when an append has inserted its rows: COMMIT
/// then gets no answer.
class KilledBeforeCommit {
 public:
  explicit KilledBeforeCommit(PrivateServers& servers) {
    servers_ = &servers;
    set_sync_point_handler([](std::string_view name) {
      if (name == "das.after_insert_before_commit") servers_->run_sql("KILL USER plain@localhost");
    });
  }
  ~KilledBeforeCommit() { set_sync_point_handler(nullptr); }

 private:
  static inline PrivateServers* servers_ = nullptr;
};

TEST_F(MysqlFaults, ACommitWithoutAnAnswerIsUnknownAndResolvedOnANewSession) {
  auto engine = engine_of_a_plain_user();
  auto opened = engine->open_writer();
  ASSERT_OK(opened);
  make_pair(**opened);
  const AppendItem item = message(1);
  const AppendItem* one = &item;
  {
    const KilledBeforeCommit killed(store_->servers());
    const auto fast = (*opened)->messages().append_fast({&one, 1});
    EXPECT_EQ(fast.result, FastResult::kUnknown) << fast.why.detail;
    EXPECT_TRUE((*opened)->is_broken());
  }
  auto again = engine->open_writer();
  ASSERT_OK(again);
  EXPECT_EQ((*again)->messages().append_one(item)->stored.seq.value(), 1U);
  EXPECT_TRUE((*again)->messages().append_one(item)->stored.repeat);
}

TEST_F(MysqlFaults, MutantAckBeforeTheOkOfCommitCallsALostOneStored) {
  auto engine = engine_of_a_plain_user();
  auto opened = engine->open_writer();
  ASSERT_OK(opened);
  make_pair(**opened);
  const AppendItem item = message(1);
  const AppendItem* one = &item;
  {
    const WithMutant on(Mutant::kAckBeforeCommitOk);
    const KilledBeforeCommit killed(store_->servers());
    EXPECT_EQ((*opened)->messages().append_fast({&one, 1}).result, FastResult::kStored);
  }
  auto again = engine->open_writer();
  ASSERT_OK(again);
  EXPECT_FALSE((*again)->messages().append_one(item)->stored.repeat) << "it was nowhere";
}

#endif

}  // namespace
}  // namespace hy::das::contract
