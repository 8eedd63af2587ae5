#include "client/sdk/store/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace hy::client {
namespace {

const ConversationId kPair = ConversationId::pair(Uid{1}, Uid{2});

/// Both stores keep the same promises, but for what a restart finds.
class StoreTest : public testing::TestWithParam<bool> {
 protected:
  StoreTest() {
    file =
        std::filesystem::temp_directory_path() / ("hy-store-" + std::to_string(::getpid()) + ".db");
    remove();
    open();
  }
  ~StoreTest() override {
    store.reset();
    remove();
  }
  void remove() {
    for (const char* end : {"", "-wal", "-shm", ".lock"}) {
      std::filesystem::remove(file.string() + end);
    }
  }
  void open() {
    if (!GetParam()) {
      if (store == nullptr) store = make_memory_store();
      return;
    }
    store.reset();
    auto opened = open_sqlite_store(file.string());
    ASSERT_TRUE(opened) << opened.error().detail;
    store = std::move(*opened);
  }
  static Message row(std::uint64_t seq, std::uint64_t id) {
    Message m;
    m.conversation = kPair;
    m.seq = Seq{seq};
    m.sender = Uid{2};
    put_be(m.client_msg_id.bytes.data(), id);
    m.body = "m" + std::to_string(id);
    m.provisional = seq == 0;
    return m;
  }
  RowFate put(const Message& m) {
    const std::vector<Write> writes{PutRow{m}};
    const auto fates = store->apply(writes);
    EXPECT_TRUE(fates && fates->size() == 1);
    return fates->at(0);
  }
  std::vector<Bytes> bodies(std::uint64_t from, std::uint64_t to, std::uint32_t last = 0) {
    std::vector<Bytes> out;
    for (const Message& m : *store->rows(kPair, Seq{from}, Seq{to}, last)) out.push_back(m.body);
    return out;
  }
  using List = std::vector<Bytes>;

  std::filesystem::path file;
  std::unique_ptr<Store> store;
};

TEST_P(StoreTest, ARowIsNewOnceAndKnownAfterwards) {
  EXPECT_EQ(put(row(1, 1)), RowFate::kNew);
  EXPECT_EQ(put(row(1, 1)), RowFate::kKnown);
  EXPECT_EQ(put(row(2, 1)), RowFate::kKnown) << "one id, two seqs: shown once";
  open();
  EXPECT_EQ(put(row(1, 1)), RowFate::kKnown) << "also after a restart";
}

TEST_P(StoreTest, AProvisionalRowMovesOnce) {
  EXPECT_EQ(put(row(0, 1)), RowFate::kNew);
  EXPECT_EQ(put(row(0, 1)), RowFate::kKnown);
  EXPECT_EQ(put(row(5, 1)), RowFate::kMoved);
  EXPECT_EQ(put(row(5, 1)), RowFate::kKnown);
  EXPECT_EQ(put(row(0, 1)), RowFate::kKnown) << "it does not go back";
  EXPECT_EQ(bodies(1, 9), (List{"m1"}));
}

TEST_P(StoreTest, SameTextThriceIsThreeRows) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    Message m = row(n, n);
    m.body = "important";
    EXPECT_EQ(put(m), RowFate::kNew);
  }
}

TEST_P(StoreTest, RowsOfARangeAndTheLastOnes) {
  for (std::uint64_t n = 1; n <= 9; ++n) put(row(n, n));
  EXPECT_EQ(bodies(3, 5), (List{"m3", "m4", "m5"}));
  EXPECT_EQ(bodies(1, 9, 2), (List{"m8", "m9"}));
  EXPECT_EQ(bodies(20, 30), (List{}));
}

TEST_P(StoreTest, AfterAResetIdsAreKnownAndASeqMayBelongToAnother) {
  put(row(1, 1));
  put(row(2, 2));
  const std::vector<Write> writes{ForgetSeqs{kPair}};
  ASSERT_TRUE(store->apply(writes));
  EXPECT_EQ(put(row(1, 1)), RowFate::kKnown);
  EXPECT_EQ(put(row(2, 3)), RowFate::kNew);
  EXPECT_EQ(bodies(1, 9), (List{"m1", "m3"}));
}

TEST_P(StoreTest, EverythingComesBack) {
  DeviceRecord device;
  device.uid = Uid{7};
  device.name = "alice";
  device.device_id = "d";
  device.token = Secret("t\0ken");
  device.conn_counter = 9;
  device.since = -3;
  device.store_epoch = 4;
  OutboxRecord second;
  second.id.bytes[0] = 2;
  second.conversation = kPair;
  second.to = Uid{2};
  second.body = Bytes("\0body", 5);
  second.order = 2;
  OutboxRecord first = second;
  first.id.bytes[0] = 1;
  first.order = 1;
  ConversationRecord conversation;
  conversation.conversation = kPair;
  conversation.have = Seq{12};
  conversation.read_wanted = Seq{11};
  const std::vector<Write> writes{
      PutDevice{device},      PutOutbox{second},
      PutOutbox{first},       PutConversation{conversation},
      PutName{"bob", Uid{2}}, SetOutboxStep{first.id, Step::kRefused, Errc::kBlocked}};
  ASSERT_TRUE(store->apply(writes));
  open();
  const auto snapshot = store->load();
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->device.uid, Uid{7});
  EXPECT_EQ(snapshot->device.conn_counter, 9u);
  EXPECT_EQ(snapshot->device.token.reveal(), device.token.reveal());
  EXPECT_EQ(snapshot->device.since, -3);
  ASSERT_EQ(snapshot->outbox.size(), 2u);
  EXPECT_EQ(snapshot->outbox[0].step, Step::kRefused);
  EXPECT_EQ(snapshot->outbox[0].code, Errc::kBlocked);
  EXPECT_EQ(snapshot->outbox[1].body, second.body);
  ASSERT_EQ(snapshot->conversations.size(), 1u);
  EXPECT_EQ(snapshot->conversations[0].have, Seq{12});
  EXPECT_EQ(*store->find_name("bob"), Uid{2});
  EXPECT_EQ(*store->find_name("carol"), std::nullopt);
  const std::vector<Write> gone{DropOutbox{first.id}, DropOutbox{second.id}};
  ASSERT_TRUE(store->apply(gone));
  EXPECT_TRUE(store->load()->outbox.empty());
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreTest, testing::Bool(), [](const auto& info) {
  return info.param ? std::string("sqlite") : std::string("memory");
});

TEST(SqliteStore, ASecondOwnerIsRefused) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("hy-store-lock-" + std::to_string(::getpid()) + ".db");
  auto first = open_sqlite_store(file.string());
  ASSERT_TRUE(first);
  const auto second = open_sqlite_store(file.string());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kStoreLocked);
  for (const char* end : {"", "-wal", "-shm", ".lock"}) {
    std::filesystem::remove(file.string() + end);
  }
}

}  // namespace
}  // namespace hy::client
