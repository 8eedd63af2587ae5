#include <algorithm>
#include <fstream>

#include <sys/resource.h>
#include <csignal>

#include "common/sqlite/database.h"
#include "das/engines/embedded/migrations.h"
#include "tests/contract/embedded_store.h"
#include "tests/support/with_mutant.h"

/// Faults that only the file engine can have.
namespace hy::das::contract {
namespace {

using embedded::EmbeddedEngine;

class EmbeddedFaults : public testing::Test {
 protected:
  std::unique_ptr<EmbeddedEngine> started(std::uint32_t pages_max = 0) {
    auto engine = store_.make(pages_max);
    const auto up = engine->start();
    EXPECT_TRUE(up.has_value()) << (up ? "" : up.error().detail);
    return engine;
  }
  /// Two people with a conversation; messages of it by number.
  void make_pair(StoreSession& session) {
    const std::vector<NewAccount> two(2);
    const auto made = session.accounts().create(two);
    ASSERT_OK(made);
    a_ = *(*made)[0];
    b_ = *(*made)[1];
    ASSERT_OK(session.membership().open_pair(a_, b_));
  }
  AppendItem message(std::uint64_t number, std::size_t size = 10) const {
    AppendItem item;
    item.conv = ConversationId::pair(a_, b_);
    item.sender = a_;
    put_be(item.client_msg_id.bytes.data(), number);
    put_be(item.payload_hash.data(), number);
    item.member_version = 1;
    item.body.bytes = std::string(size, 'x');
    return item;
  }
  void damage(const std::string& sql) {
    auto db = sqlite::Database::open(store_.file());
    ASSERT_OK(db);
    ASSERT_TRUE(db->exec(sql).has_value());
  }

  EmbeddedStore store_;
  Uid a_, b_;
};

/// While it lives, no file may grow past `bytes`: every longer write fails as a bad disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit now{bytes, old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &now);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit old_{};
  void (*handler_)(int) = nullptr;
};

TEST_F(EmbeddedFaults, ASecondDasIsRefused) {
  auto first = started();
  auto second = store_.make();
  EXPECT_CODE(second->start(), Errc::kStoreLocked);
  EXPECT_CODE(second->schema_apply(), Errc::kStoreLocked);
  EXPECT_TRUE(second->schema_status().has_value()) << "looking is allowed";
  first.reset();
  EXPECT_TRUE(second->start().has_value()) << "the lock goes with its holder";
}

TEST_F(EmbeddedFaults, AnEmptyFolderHasNoSchemaAndStartMakesIt) {
  auto engine = store_.make();
  auto status = engine->schema_status();
  ASSERT_OK(status);
  EXPECT_EQ(status->current, 0U);
  EXPECT_EQ(status->pending.size(), status->expected);
  ASSERT_TRUE(engine->start().has_value());
  status = engine->schema_status();
  ASSERT_OK(status);
  EXPECT_EQ(status->current, status->expected);
}

TEST_F(EmbeddedFaults, ASchemaThatDasDoesNotKnowIsRefusedAndNotTouched) {
  started();
  const std::string next = std::to_string(embedded::kMigrations.size() + 1);
  damage("INSERT INTO schema_version VALUES (" + next + ", 'ff', 0)");
  EXPECT_CODE(store_.make()->start(), Errc::kSchemaTooNew);
  EXPECT_CODE(store_.make()->schema_apply(), Errc::kSchemaTooNew);
  damage("DELETE FROM schema_version WHERE version = " + next);
  EXPECT_TRUE(store_.make()->start().has_value());
  damage("UPDATE schema_version SET sha256 = 'ff'");
  EXPECT_CODE(store_.make()->start(), Errc::kSchemaBroken);
}

TEST_F(EmbeddedFaults, ASchemaWithAHoleIsBroken) {
  started();
  damage("DELETE FROM schema_version WHERE version = 1");
  EXPECT_CODE(store_.make()->start(), Errc::kSchemaBroken);
}

TEST_F(EmbeddedFaults, AStoreOfTheFirstSchemaIsBroughtUpWithAllItsMessages) {
  const Bytes conv = ConversationId::pair(Uid{1}, Uid{2}).to_bytes();
  {
    auto db = sqlite::Database::open(store_.file());
    ASSERT_OK(db);
    ASSERT_TRUE(db->exec(embedded::kMigrations[0].sql).has_value());
    ASSERT_TRUE(db->exec("PRAGMA application_id = 1213809729; CREATE TABLE schema_version (version "
                         "INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, applied_ms INTEGER NOT NULL) "
                         "STRICT; INSERT INTO user VALUES (1, NULL, 0, 0), (2, NULL, 0, 0);")
                    .has_value());
    const auto run = [&](std::string_view sql, auto... values) {
      auto statement = db->prepare(sql);
      ASSERT_OK(statement);
      int index = 0;
      (statement->bind_blob(++index, values), ...);
      ASSERT_TRUE(statement->run().has_value());
    };
    run("INSERT INTO schema_version VALUES (1, CAST(?1 AS TEXT), 0)",
        embedded::kMigrations[0].sha256);
    run("INSERT INTO conversation VALUES (?1, 1, 3, 7, 3, 0, 1, 3, 0)", conv);
    run("INSERT INTO user_conv VALUES (1, ?1, 0, 0, 1, 0, 0, 0, 0), (2, ?1, 0, 0, 1, 0, 0, 0, 0)",
        conv);
    a_ = Uid{1};
    b_ = Uid{2};
    for (std::uint64_t i = 1; i <= 3; ++i) {
      // Ids that sort against the order of the seqs.
      const AppendItem item = message(10 - i);
      run("INSERT INTO message VALUES (?1, " + std::to_string(i) + ", 1, ?2, ?3, 1, 0, 0, 0, 1, " +
              std::to_string(i) + ", 7, ?4)",
          conv, as_text(item.client_msg_id.bytes), as_text(item.payload_hash), item.body.bytes);
    }
  }
  EXPECT_CODE(store_.make()->start(), Errc::kSchemaTooOld);
  ASSERT_TRUE(store_.make()->schema_apply().has_value());
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  PullQuery query{.uid = b_, .conv = ConversationId::pair(a_, b_)};
  query.messages_max = 200;
  query.bytes_max = 100'000;
  const auto slice = writer->messages().pull(query);
  ASSERT_OK(slice);
  ASSERT_EQ(slice->messages.size(), 3U);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(slice->messages[i - 1].seq.value(), i);
    EXPECT_EQ(slice->messages[i - 1].client_msg_id, message(10 - i).client_msg_id);
    EXPECT_EQ(slice->messages[i - 1].body.bytes, message(0).body.bytes);
  }
  const auto repeat = writer->messages().append_one(message(8));
  ASSERT_OK(repeat);
  EXPECT_TRUE(repeat->stored.repeat);
  EXPECT_EQ(repeat->stored.seq.value(), 2U);
  AppendItem other = message(8);
  other.payload_hash[15] ^= 1;
  EXPECT_CODE(writer->messages().append_one(other), Errc::kConflict);
  const AppendItem again = message(9);
  const AppendItem* one = &again;
  EXPECT_EQ(writer->messages().append_fast({&one, 1}).result, FastResult::kRolledBack);
  const auto next = writer->messages().append_one(message(11));
  ASSERT_OK(next);
  EXPECT_EQ(next->stored.seq.value(), 4U);
}

/// Events that were cleared away: a device that lacks one of them is told so, and nobody else.
TEST_F(EmbeddedFaults, AHoleInTheEventsIsTooFarForThoseWhoNeedThem) {
  const auto after = [&](std::uint64_t useq) {
    auto engine = store_.make();
    EXPECT_TRUE(engine->start().has_value());
    auto reader = engine->open_reader();
    EXPECT_TRUE(reader.has_value());
    return (*reader)->user_log().read(a_, Useq{useq}, 10).value_or(UserEvents{});
  };
  {
    auto engine = store_.make();
    ASSERT_TRUE(engine->start().has_value());
    auto writer = std::move(*engine->open_writer());
    make_pair(*writer);
    for (const bool on : {true, false, true, false})
      ASSERT_OK(writer->membership().set_block(a_, b_, on));
  }
  damage("DELETE FROM user_event WHERE useq <= 2");
  EXPECT_TRUE(after(1).too_far);
  EXPECT_TRUE(after(1).events.empty());
  EXPECT_EQ(after(2).events.size(), 2U);
  EXPECT_FALSE(after(2).too_far);
  damage("DELETE FROM user_event");
  EXPECT_TRUE(after(3).too_far);
  EXPECT_FALSE(after(4).too_far) << "nothing is missing";
  EXPECT_EQ(after(4).head.value(), 4U);
  EXPECT_TRUE(after(5).too_far) << "of another store";
}

TEST_F(EmbeddedFaults, AnotherProgramsFileIsRefused) {
  {
    auto db = sqlite::Database::open(store_.file());
    ASSERT_OK(db);
    ASSERT_TRUE(db->exec("CREATE TABLE t (x); PRAGMA application_id = 7").has_value());
  }
  EXPECT_CODE(store_.make()->start(), Errc::kStoreSettings);
  std::filesystem::remove(store_.file());
  std::ofstream(store_.file()) << std::string(5'000, 'z');
  EXPECT_CODE(store_.make()->start(), Errc::kStoreDown);
}

TEST_F(EmbeddedFaults, AFullDiskIsSaidAndNothingIsStoredByHalf) {
  auto engine = started(90);
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  std::uint64_t stored = 0;
  Result<AppendedOne> last = fail(Errc::kInternal);
  for (std::uint64_t i = 1; i <= 100; ++i) {
    last = writer->messages().append_one(message(i, 15'000));
    if (!last) break;
    ++stored;
  }
  EXPECT_CODE(last, Errc::kStoreFull);
  EXPECT_GT(stored, 3U);
  const AppendItem more = message(1'000, 15'000);
  const AppendItem* one = &more;
  const auto fast = writer->messages().append_fast({&one, 1});
  EXPECT_EQ(fast.result, FastResult::kFailed);
  EXPECT_EQ(fast.why.code, Errc::kStoreFull);
  EXPECT_FALSE(writer->is_broken());
  // Reads go on, and what was stored is whole.
  auto reader = std::move(*engine->open_reader());
  PullQuery query;
  query.uid = b_;
  query.conv = ConversationId::pair(a_, b_);
  query.messages_max = 200;
  query.bytes_max = 100'000'000;
  const auto slice = reader->messages().pull(query);
  ASSERT_OK(slice);
  EXPECT_EQ(slice->messages.size(), stored);
  EXPECT_EQ(slice->head.value(), stored);
}

TEST_F(EmbeddedFaults, AFailedCommitIsUnknownAndTheFileIsMadeSoundBeforeAnythingIsConfirmed) {
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  auto reader = std::move(*engine->open_reader());
  make_pair(*writer);
  ASSERT_OK(writer->messages().append_one(message(1)));
  {
    const FileSizeLimit limit(std::filesystem::file_size(store_.file().string() + "-wal"));
    const AppendItem item = message(2);
    const AppendItem* one = &item;
    const auto fast = writer->messages().append_fast({&one, 1});
    EXPECT_EQ(fast.result, FastResult::kUnknown) << fast.why.detail;
    EXPECT_TRUE(writer->is_broken());
    EXPECT_TRUE(reader->is_broken()) << "readers may confirm nothing either";
    EXPECT_CODE(writer->messages().append_one(message(3)), Errc::kStoreDown);
    EXPECT_CODE(reader->facts(), Errc::kStoreDown);
    EXPECT_CODE(engine->open_reader(), Errc::kStoreDown);
  }
  reader.reset();
  auto again = engine->open_writer();
  ASSERT_OK(again);
  EXPECT_EQ(std::filesystem::file_size(store_.file().string() + "-wal"), 0U)
      << "the write-ahead log is emptied before the store serves";
  // Resolved: stored now, or found; either way it has seq 2 and stands once.
  const auto resolved = (*again)->messages().append_one(message(2));
  ASSERT_OK(resolved);
  EXPECT_EQ(resolved->stored.seq.value(), 2U);
  const auto repeat = (*again)->messages().append_one(message(2));
  ASSERT_OK(repeat);
  EXPECT_TRUE(repeat->stored.repeat);
  EXPECT_EQ((*again)->messages().append_one(message(3))->stored.seq.value(), 3U);
  EXPECT_TRUE(engine->open_reader().has_value());
}

TEST_F(EmbeddedFaults, MutantAckBeforeTheOkOfCommitCallsAFailedOneStored) {
  if (!has_mutants()) GTEST_SKIP() << "built without HY_TEST_HOOKS";
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  ASSERT_OK(writer->messages().append_one(message(1)));
  const WithMutant on(Mutant::kAckBeforeCommitOk);
  const FileSizeLimit limit(std::filesystem::file_size(store_.file().string() + "-wal"));
  const AppendItem item = message(2);
  const AppendItem* one = &item;
  EXPECT_EQ(writer->messages().append_fast({&one, 1}).result, FastResult::kStored);
  EXPECT_TRUE(writer->is_broken());
}

TEST_F(EmbeddedFaults, ACommitThatTookEffectWithoutAnAnswerIsFoundAgain) {
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  const auto lost = writer->messages().append_one(message(1));
  ASSERT_OK(lost);
  engine->file().condemn();
  EXPECT_TRUE(writer->is_broken());
  auto again = engine->open_writer();
  ASSERT_OK(again);
  const auto resolved = (*again)->messages().append_one(message(1));
  ASSERT_OK(resolved);
  EXPECT_TRUE(resolved->stored.repeat);
  EXPECT_EQ(resolved->stored.seq, lost->stored.seq);
  EXPECT_EQ(resolved->stored.server_ms, lost->stored.server_ms);
}

TEST_F(EmbeddedFaults, ATransactionThatTookTooLongIsNotCommittedWithAnOldTime) {
  class SlowClock final : public Clock {
   public:
    [[nodiscard]] MonoTime now() const override {
      at_ += step_;
      return MonoTime{} + at_;
    }
    [[nodiscard]] std::int64_t wall_ms() const override { return 1'000'000; }
    mutable Millis at_{0};
    Millis step_{0};
  } clock;
  embedded::EmbeddedEngine engine({store_.file(), 1'000, 0}, clock);
  ASSERT_TRUE(engine.start().has_value());
  auto writer = std::move(*engine.open_writer());
  make_pair(*writer);
  clock.step_ = Millis{6'000};
  const AppendItem item = message(1);
  const AppendItem* one = &item;
  EXPECT_EQ(writer->messages().append_fast({&one, 1}).result, FastResult::kRolledBack);
  EXPECT_CODE(writer->messages().append_one(item), Errc::kOverloaded);
  clock.step_ = Millis{0};
  EXPECT_EQ(writer->messages().append_one(item)->stored.seq.value(), 1U);
}

TEST_F(EmbeddedFaults, TheWriteAheadLogIsBoundedByCheckpoints) {
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  make_pair(*writer);
  std::uint64_t number = 0;
  std::uintmax_t largest = 0;
  for (int batch = 0; batch < 60; ++batch) {
    std::vector<AppendItem> items;
    for (int i = 0; i < 60; ++i) items.push_back(message(++number, 16'000));
    std::vector<const AppendItem*> pointers;
    for (const AppendItem& item : items) pointers.push_back(&item);
    ASSERT_EQ(writer->messages().append_fast(pointers).result, FastResult::kStored);
    writer->maintain();
    largest = std::max(largest, std::filesystem::file_size(store_.file().string() + "-wal"));
  }
  EXPECT_LT(largest, 24U * 1'024 * 1'024) << "55 MiB were written";
}

/// Small messages of many conversations: the log is heads, which a checkpoint moves once however
/// often they stand there. It may grow past 16 MiB, and not past 64.
TEST_F(EmbeddedFaults, ALogOfHeadsMayGrowToItsOwnBound) {
  started();
  {
    auto db = sqlite::Database::open(store_.file());
    ASSERT_OK(db);
    auto make = db->prepare("INSERT INTO conversation VALUES (?1, 1, 0, 0, 0, 0, 1, 0, 0, 0)");
    ASSERT_OK(make);
    ASSERT_TRUE(db->exec("BEGIN").has_value());
    for (std::uint64_t uid = 1; uid <= 30'000; ++uid) {
      make->reset();
      make->bind_blob(1, ConversationId::pair(Uid{uid}, Uid{99'999}).to_bytes());
      ASSERT_TRUE(make->run().has_value());
    }
    ASSERT_TRUE(db->exec("COMMIT").has_value());
  }
  auto engine = started();
  auto writer = std::move(*engine->open_writer());
  std::uint64_t number = 0;
  std::uintmax_t largest = 0;
  for (int batch = 0; batch < 160; ++batch) {
    std::vector<AppendItem> items(200);
    for (std::uint64_t i = 0; i < 200; ++i) {
      AppendItem& item = items[i];
      item.conv = ConversationId::pair(
          Uid{1 + (i * 149 + static_cast<std::uint64_t>(batch)) % 29'900}, Uid{99'999});
      item.sender = Uid{99'999};
      put_be(item.client_msg_id.bytes.data(), ++number);
      item.member_version = 1;
    }
    std::ranges::sort(items, {}, &AppendItem::conv);
    std::vector<const AppendItem*> pointers;
    for (const AppendItem& item : items) pointers.push_back(&item);
    const auto done = writer->messages().append_fast(pointers);
    ASSERT_EQ(done.result, FastResult::kStored) << done.why.detail;
    writer->maintain();
    largest = std::max(largest, std::filesystem::file_size(store_.file().string() + "-wal"));
  }
  EXPECT_GT(largest, 40U * 1'024 * 1'024);
  EXPECT_LT(largest, 68U * 1'024 * 1'024);
}

}  // namespace
}  // namespace hy::das::contract
