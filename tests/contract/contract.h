#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "das/append/append_planner.h"
#include "das/storage/engine.h"

/// One suite for every engine (das/storage/*.h is the contract). An engine joins with one file that
/// calls register_store() from a namespace-scope initialiser; see embedded_store.cc.
namespace hy::das::contract {

/// One fresh, empty store of its own for one test.
class TestStore {
 public:
  virtual ~TestStore() = default;
  /// A started engine with the newest schema, as one more das would have it. The store must outlive
  /// it.
  virtual Result<std::unique_ptr<Engine>> open() = 0;
  /// Whether several engines (das processes) may be open at once.
  [[nodiscard]] virtual bool is_shared() const = 0;
  /// Whether a process started by this one works on the same store.
  [[nodiscard]] virtual bool is_seen_by_children() const { return true; }
  /// Moves the store's clock; false: this store's clock cannot be moved.
  virtual bool move_clock(Millis by) = 0;
};

struct StoreKind {
  std::string name;  ///< letters alone: part of the test's name
  /// null: cannot run here, and `why` says so.
  std::function<std::unique_ptr<TestStore>(std::string& why)> make;
  /// Differs from another one in its message log alone.
  bool message_log_only = false;
  friend void PrintTo(const StoreKind& kind, std::ostream* out) { *out << kind.name; }
};

bool register_store(StoreKind kind);
/// For suites about anything else, and for suites about the message log.
std::vector<StoreKind> stores();
std::vector<StoreKind> message_log_stores();
inline std::string store_name(const testing::TestParamInfo<StoreKind>& info) {
  return info.param.name;
}

/// Base of all suites: a store, one engine, a writer and a reader, and words to speak with.
class EngineContract : public testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::unique_ptr<StoreSession> new_writer(Engine& engine);
  std::unique_ptr<StoreSession> new_writer() { return new_writer(*engine_); }
  std::unique_ptr<StoreSession> new_reader();
  /// People without names, n of them.
  std::vector<Uid> people(std::size_t n);
  /// Both exist; rows made. The conversation and its member_version.
  struct Pair {
    Uid a, b;
    ConversationId conv;
    std::uint64_t version = 0;
  };
  Pair pair(Uid a, Uid b);
  Pair new_pair();
  /// A message with a fresh client_msg_id; payload_hash is made from the text.
  AppendItem message(const Pair& in, Uid sender, std::string text);
  AppendItem message(const Pair& in, std::string text) {
    return message(in, in.a, std::move(text));
  }
  static PayloadHash hash_of(std::string_view text);
  ClientMsgId new_id();

  /// append_fast of one batch (sorted here as the contract wants it).
  FastAppend fast(StoreSession& session, std::vector<AppendItem>& items);
  Seq must_append(const AppendItem& item);
  /// The whole log as its member sees it, by slices.
  std::vector<StoredMessage> whole_log(StoreSession& session, Uid uid, ConversationId conv);
  Seq head(StoreSession& session, Uid uid, ConversationId conv);
  /// seqs are 1 .. n and no (sender, client_msg_id) stands twice.
  static void expect_dense(const std::vector<StoredMessage>& log);
  [[nodiscard]] PullQuery range(Uid uid, ConversationId conv, std::uint64_t from,
                                std::uint64_t to) const;

  SeededRandom random_{20'240'517};
  SystemClock clock_;
  std::unique_ptr<TestStore> store_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<StoreSession> writer_;
  std::unique_ptr<StoreSession> reader_;
};

/// ASSERT that a Result holds a value, with its error as text.
#define ASSERT_OK(result)           \
  ASSERT_TRUE((result).has_value()) \
      << ::hy::error_text((result).error().code, (result).error().detail)
#define EXPECT_CODE(result, wanted)                                      \
  do {                                                                   \
    EXPECT_FALSE((result).has_value());                                  \
    if (!(result).has_value()) EXPECT_EQ((result).error().code, wanted); \
  } while (false)

}  // namespace hy::das::contract
