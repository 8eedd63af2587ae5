#include "das/engines/mysql/redis_cache.h"

#include <charconv>

#include "common/base/test_hooks.h"
#include "das/engines/mysql/keys.h"

namespace hy::das::mysql {
namespace {

constexpr std::size_t kIdleMax = 16;
constexpr std::chrono::seconds kQuiet{1};
const std::string kChangeLifeS = "604800";

}  // namespace

RedisCache::RedisCache(RedisOptions options, const Clock& clock, std::uint64_t seed)
    : options_(std::move(options)), clock_(clock), random_(seed) {
  up_ = !options_.address.empty();
}

template <class Work>
auto RedisCache::with_connection(Work work) -> decltype(work(std::declval<RedisConnection&>())) {
  if (options_.address.empty()) return {};
  std::unique_ptr<RedisConnection> connection;
  {
    const std::lock_guard lock(mutex_);
    if (clock_.now() < quiet_until_) return {};
    if (!idle_.empty()) {
      connection = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!connection) connection = RedisConnection::open(options_);
  decltype(work(*connection)) replies{};
  if (connection) replies = work(*connection);
  const bool answered = static_cast<bool>(replies);
  const std::lock_guard lock(mutex_);
  up_.store(answered, std::memory_order_relaxed);
  if (!answered) {
    quiet_until_ = clock_.now() + kQuiet;
    idle_.clear();  // they lead to the same server
  } else if (idle_.size() < kIdleMax) {
    idle_.push_back(std::move(connection));
  }
  return replies;
}

std::optional<std::vector<RedisConnection::Reply>> RedisCache::run(const Commands& commands) {
  if (commands.empty()) return std::nullopt;
  return with_connection([&](RedisConnection& connection) { return connection.run(commands); });
}

std::uint64_t RedisCache::fresh_value() {
  const std::lock_guard lock(mutex_);
  return random_.next() | 1U;  // never 0, which means "not known"
}

void RedisCache::add_change(Commands& commands, Uid uid) {
  // A random value instead of a count: a cache that was lost cannot come back to one that was told
  // before.
  commands.push_back(
      {"SET", keys::changes(uid), std::to_string(fresh_value()), "EX", kChangeLifeS});
}

void RedisCache::committed(std::span<const CommittedHead> heads) {
  RedisBatch batch;
  // One value for all: it was never told for any of them.
  const std::string value = std::to_string(fresh_value());
  for (const CommittedHead& head : heads) {
    if (head.conv.is_group()) continue;
    for (const Uid uid : {Uid{head.conv.hi}, Uid{head.conv.lo}})
      batch.add({"SET", keys::changes(uid), value, "EX", kChangeLifeS});
  }
  if (batch.count() == 0) return;
  with_connection([&](RedisConnection& connection) { return connection.run(batch); });
}

void RedisCache::changed(std::span<const Uid> uids) {
  Commands commands;
  for (const Uid uid : uids) add_change(commands, uid);
  run(commands);
}

std::vector<std::uint64_t> RedisCache::change_counters(std::span<const Uid> uids) {
  Commands commands;
  for (const Uid uid : uids) {
    const std::uint64_t first = mutant(Mutant::kLostCounterBeginsAgain) ? 1 : fresh_value();
    commands.push_back(
        {"SET", keys::changes(uid), std::to_string(first), "EX", kChangeLifeS, "NX"});
    commands.push_back({"GET", keys::changes(uid)});
  }
  const auto replies = run(commands);
  std::vector<std::uint64_t> out(uids.size(), 0);
  if (!replies) return out;
  for (std::size_t i = 0; i < uids.size(); ++i) {
    const auto& reply = (*replies)[2 * i + 1];
    if (reply) std::from_chars(reply->data(), reply->data() + reply->size(), out[i]);
  }
  return out;
}

void RedisCache::lose_all() {
  run({{"FLUSHDB"}});
}

}  // namespace hy::das::mysql
