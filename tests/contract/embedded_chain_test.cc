#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "common/sqlite/database.h"
#include "das/engines/embedded/migrations.h"
#include "das/engines/embedded/statements.h"
#include "tests/contract/embedded_store.h"

/// The chains of rows and their milestones: what stood in a file before, and what damage does.
namespace hy::das::contract {
namespace {

using embedded::EmbeddedEngine;

class EmbeddedChain : public testing::Test {
 protected:
  static ConversationId conv_of(std::uint64_t peer) {
    return ConversationId::pair(Uid{1}, Uid{peer});
  }
  static AppendItem message(std::uint64_t peer, std::uint64_t number, std::size_t size = 40) {
    AppendItem item;
    item.conv = conv_of(peer);
    item.sender = Uid{number % 2 == 0 ? 1 : peer};
    put_be(item.client_msg_id.bytes.data(), mix64(number));
    put_be(item.client_msg_id.bytes.data() + 8, peer);
    put_be(item.payload_hash.data(), number);
    item.member_version = 1;
    item.body.bytes = std::to_string(number) + std::string(size, 'x');
    return item;
  }
  static void run(sqlite::Database& db, std::string_view sql) {
    const auto done = db.exec(sql);
    ASSERT_TRUE(done.has_value()) << done.error().detail;
  }
  void damage(const std::string& sql) {
    auto db = sqlite::Database::open(store_.file());
    ASSERT_OK(db);
    run(*db, sql);
  }

  /// A file of the second schema: person 1 and as many conversations as `lengths`, with their
  /// messages in turns.
  void make_old(const std::vector<std::uint64_t>& lengths, std::size_t size = 40) {
    auto opened = sqlite::Database::open(store_.file());
    ASSERT_OK(opened);
    sqlite::Database& db = *opened;
    run(db,
        "PRAGMA application_id = 1213809729; CREATE TABLE schema_version (version INTEGER "
        "PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms INTEGER NOT NULL) STRICT; BEGIN");
    for (std::size_t step = 0; step < 2; ++step) {
      run(db, embedded::kMigrations[step].sql);
      run(db, "INSERT INTO schema_version VALUES (" + std::to_string(step + 1) + ", '" +
                  std::string(embedded::kMigrations[step].sha256) + "', 0)");
    }
    run(db, "INSERT INTO store_epoch VALUES (1, 7, 0, 0); INSERT INTO user VALUES (1, NULL, 0, 0)");
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const std::string peer = std::to_string(i + 2);
      const std::string n = std::to_string(lengths[i]);
      run(db, "INSERT INTO user VALUES (" + peer + ", NULL, 0, 0)");
      const std::string conv = "x'" + to_hex(as_bytes(conv_of(i + 2).to_bytes())) + "'";
      run(db, "INSERT INTO conversation VALUES (" + conv + ", 1, " + n + ", 7, " + n +
                  ", 0, 1, 0, 0); INSERT INTO user_conv VALUES (1, " + conv +
                  ", 0, 0, 1, 0, 0, 0, 0), (" + peer + ", " + conv + ", 0, 0, 1, 0, 0, 0, 0)");
    }
    auto insert = db.prepare(
        "INSERT INTO message VALUES (NULL, ?1, ?2, ?3, ?4, ?5, 1, 0, 0, 0, 1, "
        "?2, 7, ?6)");
    ASSERT_OK(insert);
    for (std::uint64_t seq = 1; seq <= *std::ranges::max_element(lengths); ++seq) {
      for (std::size_t i = 0; i < lengths.size(); ++i) {
        if (seq > lengths[i]) continue;
        const AppendItem item = message(i + 2, seq, size);
        insert->reset();
        insert->bind_blob(1, item.conv.to_bytes())
            .bind(2, seq)
            .bind(3, item.sender.value())
            .bind_blob(4, as_text(item.client_msg_id.bytes))
            .bind_blob(5, as_text(item.payload_hash))
            .bind_blob(6, item.body.bytes);
        ASSERT_TRUE(insert->run().has_value());
      }
    }
    run(db, "COMMIT");
  }

  static PullQuery all_of(std::uint64_t peer) {
    PullQuery query{.uid = Uid{1}, .conv = conv_of(peer)};
    query.messages_max = 100'000;
    query.bytes_max = 1'000'000'000;
    return query;
  }
  /// Every message of each conversation is there, under its seq, and is known as a repeat.
  void expect_all(StoreSession& session, const std::vector<std::uint64_t>& lengths,
                  std::size_t size = 40) {
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto slice = session.messages().pull(all_of(i + 2));
      ASSERT_OK(slice);
      ASSERT_EQ(slice->messages.size(), lengths[i]);
      EXPECT_EQ(slice->head.value(), lengths[i]);
      for (std::uint64_t seq = 1; seq <= lengths[i]; ++seq) {
        const AppendItem item = message(i + 2, seq, size);
        const StoredMessage& stored = slice->messages[seq - 1];
        ASSERT_EQ(stored.seq.value(), seq);
        ASSERT_EQ(stored.client_msg_id, item.client_msg_id);
        ASSERT_EQ(stored.sender, item.sender);
        ASSERT_EQ(stored.body.bytes, item.body.bytes);
        if (seq % 7 != 1) continue;
        const auto repeat = session.messages().append_one(item);
        ASSERT_OK(repeat);
        ASSERT_TRUE(repeat->stored.repeat);
        ASSERT_EQ(repeat->stored.seq.value(), seq);
        const auto found = session.messages().find({Uid{1}, item.conv, Seq{seq}, {}, {}});
        ASSERT_OK(found);
        ASSERT_EQ(found->message.client_msg_id, item.client_msg_id);
      }
    }
  }
  std::int64_t number(const std::string& sql) {
    auto db = sqlite::Database::open(store_.file());
    EXPECT_TRUE(db.has_value());
    return db->query_integer(sql)->value_or(-1);
  }
  std::unique_ptr<StoreSession> up() {
    engine_ = store_.make();
    const auto started = engine_->start();
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().detail);
    return std::move(*engine_->open_writer());
  }

  EmbeddedStore store_;
  std::unique_ptr<EmbeddedEngine> engine_;
};

TEST_F(EmbeddedChain, AStoreOfTheSecondSchemaIsBroughtUpWithAllItsMessages) {
  const std::vector<std::uint64_t> lengths{1, 0, 31, 32, 33, 64, 65, 300};
  make_old(lengths);
  EXPECT_CODE(store_.make()->start(), Errc::kSchemaTooOld);
  ASSERT_TRUE(store_.make()->schema_apply().has_value());
  auto session = up();
  expect_all(*session, lengths);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const auto next = session->messages().append_one(message(i + 2, 1'000));
    ASSERT_OK(next);
    EXPECT_EQ(next->stored.seq.value(), lengths[i] + 1);
    const auto slice = session->messages().pull(all_of(i + 2));
    ASSERT_OK(slice);
    EXPECT_EQ(slice->messages.size(), lengths[i] + 1);
  }
  session.reset();
  engine_.reset();
  EXPECT_EQ(number("SELECT count(*) FROM message WHERE seq % 32 = 0"), 1 + 1 + 1 + 2 + 2 + 9);
  auto db = sqlite::Database::open(store_.file());
  ASSERT_OK(db);
  EXPECT_EQ(db->query_text("PRAGMA integrity_check")->value_or(""), "ok");
}

/// The step would have to say which row is "before" one that has none.
TEST_F(EmbeddedChain, AStoreWithAHoleIsNotBroughtUp) {
  for (const char* sql :
       {"DELETE FROM message WHERE seq = 3", "DELETE FROM message WHERE seq = 9"}) {
    std::filesystem::remove(store_.file());
    make_old({9});
    damage(sql);
    EXPECT_FALSE(store_.make()->schema_apply().has_value()) << sql;
    EXPECT_EQ(store_.make()->schema_status()->current, 2U);
    EXPECT_EQ(number("SELECT count(*) FROM message"), 8);
  }
}

TEST_F(EmbeddedChain, AStepThatFindsTheDiskFullLeavesTheOldStore) {
  const std::vector<std::uint64_t> lengths{500, 500};
  make_old(lengths, 1'000);
  const auto pages = static_cast<std::uint32_t>(number("PRAGMA page_count"));
  EXPECT_CODE(store_.make(pages + pages / 2)->schema_apply(), Errc::kStoreFull);
  EXPECT_EQ(store_.make()->schema_status()->current, 2U);
  EXPECT_EQ(number("SELECT count(*) FROM message"), 1'000);
  EXPECT_EQ(number("SELECT count(*) FROM sqlite_master WHERE name = 'message_place'"), 1);
  ASSERT_TRUE(store_.make()->schema_apply().has_value());
  auto session = up();
  expect_all(*session, lengths, 1'000);
}

TEST_F(EmbeddedChain, AStepThatIsKilledLeavesTheOldStoreOrTheNewOne) {
  const std::vector<std::uint64_t> lengths{4'000, 4'000};
  make_old(lengths, 1'000);
  const std::string wal = store_.file().string() + "-wal";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(store_.make()->schema_apply().has_value() ? 0 : 1);
  // Four of some nine MB: while the rows are copied.
  std::error_code ec;
  for (;;) {
    const auto size = std::filesystem::file_size(wal, ec);
    if (!ec && size > 4'000'000) break;
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, WNOHANG), 0) << "it ended before it was killed";
    std::this_thread::yield();
  }
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::uint32_t current = store_.make()->schema_status()->current;
  EXPECT_TRUE(current == 2 || current == 3) << current;
  EXPECT_EQ(number("SELECT count(*) FROM message"), 8'000);
  ASSERT_TRUE(store_.make()->schema_apply().has_value());
  auto session = up();
  expect_all(*session, lengths, 1'000);
}

class EmbeddedDamage : public EmbeddedChain {
 protected:
  /// 100 messages in one conversation, 40 in another.
  void SetUp() override {
    make_old({100, 40});
    ASSERT_TRUE(store_.make()->schema_apply().has_value());
  }
  static PullQuery range(std::uint64_t from, std::uint64_t to) {
    PullQuery query = all_of(2);
    query.from = Seq{from};
    query.to = Seq{to};
    return query;
  }
};

TEST_F(EmbeddedDamage, ARowThatIsMissingIsSaidAndNoHole) {
  damage(
      "DELETE FROM message WHERE seq = 50 AND id > 2 AND conv = (SELECT min(conv) FROM message)");
  auto session = up();
  EXPECT_CODE(session->messages().pull(all_of(2)), Errc::kInternal);
  EXPECT_CODE(session->messages().pull(range(40, 60)), Errc::kInternal);
  EXPECT_CODE(session->messages().pull(range(50, 50)), Errc::kInternal);
  EXPECT_CODE(session->messages().find({Uid{1}, conv_of(2), Seq{50}, {}, {}}), Errc::kInternal);
  PullQuery last = range(0, 0);
  last.last = 60;
  EXPECT_CODE(session->messages().pull(last), Errc::kInternal);
  // What does not pass there, and other conversations, are served on.
  EXPECT_EQ(session->messages().pull(range(51, 100))->messages.size(), 50U);
  EXPECT_EQ(session->messages().pull(range(1, 32))->messages.size(), 32U);
  EXPECT_EQ(session->messages().pull(all_of(3))->messages.size(), 40U);
  EXPECT_FALSE(session->is_broken());
}

TEST_F(EmbeddedDamage, ALinkToAnotherRowIsSaid) {
  const std::string one = "conv = (SELECT min(conv) FROM message)";
  for (const std::string& wrong :
       {"UPDATE message SET prev = prev - 2 WHERE seq = 50 AND " + one,
        "UPDATE message SET prev = prev + 1 WHERE seq = 30 AND " + one,
        "UPDATE message SET prev = 1000000 WHERE seq = 70 AND " + one,
        "UPDATE conversation SET last_id = (SELECT id FROM message WHERE seq = 99) WHERE " + one,
        "UPDATE conversation SET last_id = 0 WHERE " + one}) {
    std::filesystem::remove(store_.file());
    SetUp();
    SCOPED_TRACE(wrong);
    damage(wrong);
    auto session = up();
    EXPECT_CODE(session->messages().pull(all_of(2)), Errc::kInternal);
    EXPECT_EQ(session->messages().pull(all_of(3))->messages.size(), 40U);
    session.reset();
    engine_.reset();
  }
}

TEST_F(EmbeddedDamage, AMilestoneThatIsMissingIsSaid) {
  damage(
      "DROP INDEX message_milestone; CREATE UNIQUE INDEX message_milestone ON message (conv, "
      "seq) WHERE seq % 32 = 0 AND seq <> 64; DROP INDEX message_milestone; CREATE UNIQUE INDEX "
      "message_milestone ON message (conv, seq) WHERE seq % 32 = 0; UPDATE message SET seq = "
      "1064 WHERE seq = 64");
  auto session = up();
  EXPECT_CODE(session->messages().pull(range(40, 60)), Errc::kInternal);
  EXPECT_EQ(session->messages().pull(range(1, 32))->messages.size(), 32U);
}

/// A conversation row that fell behind its rows would give a seq a second time: the first milestone
/// refuses it, and nobody is told "conflict", which is about ids.
TEST_F(EmbeddedDamage, ASeqThatHasARowIsRefusedAtAMilestone) {
  damage(
      "UPDATE conversation SET head_seq = 95, last_id = (SELECT id FROM message WHERE seq = 95) "
      "WHERE head_seq = 100");
  auto session = up();
  const AppendItem next = message(2, 1'000);
  const AppendItem other = message(3, 1'000);
  const std::vector<const AppendItem*> batch{&next, &other};
  EXPECT_EQ(session->messages().append_fast(batch).result, FastResult::kRolledBack);
  EXPECT_CODE(session->messages().append_one(next), Errc::kInternal);
  EXPECT_EQ(session->messages().append_one(other)->stored.seq.value(), 41U);
  EXPECT_FALSE(session->is_broken());
}

TEST_F(EmbeddedDamage, AHeadWithoutARowTakesNoMessage) {
  damage("UPDATE conversation SET last_id = 0 WHERE head_seq = 100");
  auto session = up();
  EXPECT_CODE(session->messages().append_one(message(2, 1'000)), Errc::kInternal);
}

/// A partial index that a statement's text does not fit would be a scan of all messages.
TEST_F(EmbeddedChain, EveryMessageStatementSearches) {
  up();
  engine_.reset();
  auto db = sqlite::Database::open(store_.file());
  ASSERT_OK(db);
  namespace sql = embedded::sql;
  for (const std::string_view text :
       {sql::kMilestone, sql::kChainLink, sql::kChainRow, sql::kChainRowWithoutBody,
        sql::kChainOrdinal, sql::kFindIdentity, sql::kFindId}) {
    auto plan = db->prepare("EXPLAIN QUERY PLAN " + std::string(text));
    ASSERT_OK(plan);
    ASSERT_TRUE(plan->step().value_or(false));
    EXPECT_TRUE(plan->text(3).starts_with("SEARCH message USING")) << plan->text(3);
  }
}

}  // namespace
}  // namespace hy::das::contract
