#include "tests/contract/contract.h"

#include <algorithm>
#include <set>

#include "common/base/limits.h"

namespace hy::das::contract {
namespace {

std::vector<StoreKind>& registry() {
  static std::vector<StoreKind> kinds;
  return kinds;
}

}  // namespace

bool register_store(StoreKind kind) {
  registry().push_back(std::move(kind));
  return true;
}

std::vector<StoreKind> stores() {
  std::vector<StoreKind> out = registry();
  std::erase_if(out, [](const StoreKind& kind) { return kind.message_log_only; });
  return out;
}

std::vector<StoreKind> message_log_stores() {
  return registry();
}

void EngineContract::SetUp() {
  std::string why;
  store_ = GetParam().make(why);
  if (!store_) GTEST_SKIP() << why;
  auto engine = store_->open();
  ASSERT_OK(engine);
  engine_ = std::move(*engine);
  writer_ = new_writer();
  reader_ = new_reader();
}

void EngineContract::TearDown() {
  reader_.reset();
  writer_.reset();
  engine_.reset();
  store_.reset();
}

std::unique_ptr<StoreSession> EngineContract::new_writer(Engine& engine) {
  auto session = engine.open_writer();
  EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().detail);
  return session ? std::move(*session) : nullptr;
}

std::unique_ptr<StoreSession> EngineContract::new_reader() {
  auto session = engine_->open_reader();
  EXPECT_TRUE(session.has_value()) << (session ? "" : session.error().detail);
  return session ? std::move(*session) : nullptr;
}

std::vector<Uid> EngineContract::people(std::size_t n) {
  const std::vector<NewAccount> accounts(n);
  const auto made = writer_->accounts().create(accounts);
  std::vector<Uid> uids;
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().detail);
  if (made)
    for (const auto& one : *made) uids.push_back(one.value_or(Uid{}));
  return uids;
}

EngineContract::Pair EngineContract::pair(Uid a, Uid b) {
  const auto facts = writer_->membership().open_pair(a, b);
  EXPECT_TRUE(facts.has_value()) << (facts ? "" : facts.error().detail);
  return {a, b, ConversationId::pair(a, b), facts ? facts->member_version : 0};
}

EngineContract::Pair EngineContract::new_pair() {
  const auto two = people(2);
  return pair(two[0], two[1]);
}

PayloadHash EngineContract::hash_of(std::string_view text) {
  PayloadHash hash{};
  std::uint64_t state = text.size();
  for (const char c : text) state = mix64(state ^ static_cast<unsigned char>(c));
  put_be(hash.data(), state);
  put_be(hash.data() + 8, mix64(state));
  return hash;
}

ClientMsgId EngineContract::new_id() {
  ClientMsgId id;
  random_.fill(id.bytes);
  return id;
}

AppendItem EngineContract::message(const Pair& in, Uid sender, std::string text) {
  AppendItem item;
  item.conv = in.conv;
  item.sender = sender;
  item.client_msg_id = new_id();
  item.payload_hash = hash_of(text);
  item.kind = 1;
  item.member_version = in.version;
  item.body.bytes = std::move(text);
  return item;
}

FastAppend EngineContract::fast(StoreSession& session, std::vector<AppendItem>& items) {
  // By places, not by addresses: items move while they are sorted.
  std::vector<std::pair<ConversationId, std::size_t>> order;
  for (std::size_t i = 0; i < items.size(); ++i) order.emplace_back(items[i].conv, i);
  std::ranges::sort(order);
  std::vector<AppendItem> sorted;
  for (const auto& [conv, i] : order) sorted.push_back(std::move(items[i]));
  items = std::move(sorted);
  std::vector<const AppendItem*> pointers;
  for (const AppendItem& item : items) pointers.push_back(&item);
  return session.messages().append_fast(pointers);
}

Seq EngineContract::must_append(const AppendItem& item) {
  const auto one = writer_->messages().append_one(item);
  EXPECT_TRUE(one.has_value()) << (one ? "" : error_text(one.error().code, one.error().detail));
  return one ? one->stored.seq : Seq{};
}

PullQuery EngineContract::range(Uid uid, ConversationId conv, std::uint64_t from,
                                std::uint64_t to) const {
  PullQuery query;
  query.uid = uid;
  query.conv = conv;
  query.from = Seq{from};
  query.to = Seq{to};
  query.messages_max = limits::kSliceMessagesMax;
  query.bytes_max = limits::kSliceBytesMax;
  return query;
}

std::vector<StoredMessage> EngineContract::whole_log(StoreSession& session, Uid uid,
                                                     ConversationId conv) {
  std::vector<StoredMessage> log;
  for (;;) {
    auto slice = session.messages().pull(range(uid, conv, log.size() + 1, 0));
    EXPECT_TRUE(slice.has_value()) << (slice ? "" : slice.error().detail);
    if (!slice) return log;
    std::ranges::move(slice->messages, std::back_inserter(log));
    if (!slice->more) return log;
  }
}

Seq EngineContract::head(StoreSession& session, Uid uid, ConversationId conv) {
  const auto slice = session.messages().pull(range(uid, conv, 1, 1));
  EXPECT_TRUE(slice.has_value()) << (slice ? "" : slice.error().detail);
  return slice ? slice->head : Seq{};
}

void EngineContract::expect_dense(const std::vector<StoredMessage>& log) {
  std::set<std::pair<Uid, ClientMsgId>> seen;
  for (std::size_t i = 0; i < log.size(); ++i) {
    ASSERT_EQ(log[i].seq.value(), i + 1);
    EXPECT_TRUE(seen.emplace(log[i].sender, log[i].client_msg_id).second)
        << "twice: seq " << log[i].seq.value();
  }
}

}  // namespace hy::das::contract
