#include "das/engines/mysql/redis_cache.h"

#include <charconv>

#include "common/base/test_hooks.h"
#include "das/engines/mysql/keys.h"

namespace hy::das::mysql {
namespace {

constexpr std::size_t kIdleMax = 16;
constexpr std::chrono::seconds kQuiet{1};
constexpr std::int64_t kHeadLifeMs = 60'000;  // guarantees: what slips past `since`
const std::string kChangeLifeS = "604800";

/// Raises each head (never lowers it) and gives it its life. KEYS: heads; ARGV: life in ms, then
/// head and head_ms of each. One call for a whole batch; sent by text since the script is short and
/// the server keeps it compiled.
const std::string kRaiseHeads =
    "for i = 1, #KEYS do "
    "local old = redis.call('GET', KEYS[i]) "
    "local seq, ms = ARGV[2 * i], ARGV[2 * i + 1] "
    "local known = old and tonumber(string.match(old, '^%d+')) or -1 "
    "if known <= tonumber(seq) then redis.call('SET', KEYS[i], seq .. ' ' .. ms, 'PX', ARGV[1]) "
    "end "
    "end return #KEYS";

/// Mutant: whoever comes last is believed, for a whole life.
const std::string kSetHeads =
    "for i = 1, #KEYS do "
    "redis.call('SET', KEYS[i], ARGV[2 * i] .. ' ' .. ARGV[2 * i + 1], 'PX', 60000) "
    "end return #KEYS";

std::optional<CommittedHead> parse_head(const ConversationId& conv, const std::string& text) {
  std::uint64_t seq = 0;
  std::int64_t ms = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, seq);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ' ') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, ms);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return CommittedHead{conv, Seq{seq}, ms};
}

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

void RedisCache::add_raise(Commands& commands, std::span<const CommittedHead> heads,
                           std::int64_t life_ms) {
  if (heads.empty()) return;
  RedisConnection::Command raise = {
      "EVAL", mutant(Mutant::kCacheFilledWithoutVersion) ? kSetHeads : kRaiseHeads,
      std::to_string(heads.size())};
  for (const CommittedHead& head : heads) raise.push_back(keys::head(head.conv));
  raise.push_back(std::to_string(life_ms));
  for (const CommittedHead& head : heads) {
    raise.push_back(std::to_string(head.head.value()));
    raise.push_back(std::to_string(head.head_ms));
  }
  commands.push_back(std::move(raise));
}

void RedisCache::committed(std::span<const CommittedHead> heads) {
  if (heads.empty()) return;
  Commands raise;
  add_raise(raise, heads, kHeadLifeMs);
  RedisBatch batch;
  const std::vector<std::string_view> words(raise.front().begin(), raise.front().end());
  batch.add(words);
  // One value for all: it was never told for any of them.
  const std::string value = std::to_string(fresh_value());
  for (const CommittedHead& head : heads) {
    if (head.conv.is_group()) continue;
    for (const Uid uid : {Uid{head.conv.hi}, Uid{head.conv.lo}})
      batch.add({"SET", keys::changes(uid), value, "EX", kChangeLifeS});
  }
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
    commands.push_back(
        {"SET", keys::changes(uid), std::to_string(fresh_value()), "EX", kChangeLifeS, "NX"});
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

std::vector<std::optional<CommittedHead>> RedisCache::heads(std::span<const ConversationId> convs) {
  Commands commands;
  for (const ConversationId& conv : convs) commands.push_back({"GET", keys::head(conv)});
  const auto replies = run(commands);
  std::vector<std::optional<CommittedHead>> out(convs.size());
  if (!replies) return out;
  for (std::size_t i = 0; i < convs.size(); ++i) {
    if ((*replies)[i]) out[i] = parse_head(convs[i], *(*replies)[i]);
  }
  return out;
}

void RedisCache::fill_heads(std::span<const CommittedHead> heads, std::int64_t read_began_ms) {
  std::int64_t life = kHeadLifeMs - (clock_.wall_ms() - read_began_ms);
  if (mutant(Mutant::kCacheFilledWithoutVersion)) life = kHeadLifeMs;
  if (life <= 0) return;
  Commands commands;
  add_raise(commands, heads, std::min(life, kHeadLifeMs));
  run(commands);
}

void RedisCache::lose_all() {
  run({{"FLUSHDB"}});
}

}  // namespace hy::das::mysql
