#include "client/bench/group_swarm.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/load/proto_scan.h"

// Groups of a swarm: who dials, how a group is made, what was missed, the judgement.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPingRound = 100ms;
constexpr auto kTrimEvery = 100ms;
constexpr auto kForEver = 3600s;
constexpr auto kPullAgain = 1s;
constexpr std::chrono::milliseconds kBackoffMin{500};
constexpr std::chrono::milliseconds kBackoffMax{30'000};
constexpr unsigned kDoublingsMax = 6;
constexpr std::uint64_t kParts = 1'000'000;
constexpr std::size_t kViolationsShown = 100;
constexpr std::int64_t kFirstMs = 1'577'836'800'000;  // 2020, as Swarm counts

std::chrono::nanoseconds part(std::chrono::nanoseconds span, std::uint64_t draw) {
  return span * static_cast<std::int64_t>(mix64(draw) % kParts) / static_cast<std::int64_t>(kParts);
}

}  // namespace

GroupSwarm::GroupSwarm(Setup setup, load::Loop& loop, Random& random)
    : setup_(std::move(setup)),
      shared_{.loop = loop, .random = random, .listener = *this},
      bodies_(setup_.run),
      opened_at_(now()),
      opened_unix_ms_(SystemClock().wall_ms()) {
  shared_.server_key = setup_.server_key;
  shared_.conn_counter = static_cast<std::uint32_t>((opened_unix_ms_ - kFirstMs) / 1'000);
  shared_.slot = setup_.slot;
  shared_.device_prefix = setup_.device_prefix;
  members_.resize(setup_.people.size());
  groups_.resize(members_.size() / setup_.members);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    auto& [uid, token] = setup_.people[i];
    members_[i].client = std::make_unique<load::LightClient>(shared_, uid, std::move(token));
    members_[i].client->index = static_cast<std::uint32_t>(i);
  }
}

void GroupSwarm::wrong(std::uint64_t Ledger::* kind, std::string text) {
  ++(found_.*kind);
  if (found_.violations.size() < kViolationsShown) found_.violations.push_back(std::move(text));
}

std::int64_t GroupSwarm::unix_ms(MonoTime t) const {
  return opened_unix_ms_ +
         std::chrono::duration_cast<std::chrono::milliseconds>(t - opened_at_).count();
}

// ---- connections

void GroupSwarm::dial(double rate, std::uint32_t at_once, MonoTime from, bool is_stubborn) {
  dial_at_once_ = at_once;
  is_stubborn_ = is_stubborn;
  std::uint64_t n = 0;
  for (Member& m : members_) {
    if (!m.client->is_closed()) continue;
    m.tries = 0;
    m.intended_dial = MonoTime{};
    if (rate > 0)
      m.intended_dial = from + std::chrono::nanoseconds(static_cast<std::int64_t>(
                                   static_cast<double>(n++) * 1e9 / rate));
    dials_.push({rate > 0 ? m.intended_dial : from, m.client->index});
  }
}

void GroupSwarm::work_dials(MonoTime t, MonoTime& next) {
  while (!dials_.empty() && dials_.top().at <= t && under_way_ < dial_at_once_) {
    Member& m = members_[dials_.top().index];
    dials_.pop();
    if (!m.client->is_closed()) continue;
    const std::size_t all = setup_.first_index + m.client->index;
    if (m.intended_dial == MonoTime{}) m.intended_dial = now();
    ++counts_.dialled;
    ++under_way_;
    m.client->connect(
        setup_.entries[(all + m.moves) % setup_.entries.size()],
        setup_.sources.empty() ? in_addr{} : setup_.sources[all % setup_.sources.size()]);
  }
  if (!dials_.empty() && under_way_ < dial_at_once_)
    next = std::min(next, std::max(t, dials_.top().at));
}

void GroupSwarm::on_open(load::LightClient& c) {
  members_[c.index].last_push = 0;
}

void GroupSwarm::on_heads(load::LightClient& c,
                          std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                          bool more) {
  Member& m = members_[c.index];
  Group& g = group_of(m);
  for (const auto& [conversation, head] : heads) {
    if (!g.is_made || conversation != g.conversation) continue;
    g.head = std::max(g.head, static_cast<std::uint32_t>(head));
    if (head > m.contiguous) m.has_missed = true;
  }
  if (more && !heads.empty()) return c.sync(heads.back().first.to_bytes());
  if (!m.is_ready) {
    m.is_ready = true;
    m.tries = 0;
    --under_way_;
    ++open_;
    ++counts_.opened;
    const MonoTime t = now();
    curves_.login.record((t - m.intended_dial).count() / 1'000);
    m.next_ping = t + part(1s, c.uid().value());
    // What it had sent and nobody answered goes again, under the same id.
    const std::uint32_t own = c.index % setup_.members;
    for (std::uint32_t i = 0; i < g.flights.size(); ++i) {
      const Flight& f = g.flights[i];
      if (f.sender == own && !f.is_answered && !f.is_over) write(g, g.first + i, true);
    }
  }
  if (m.has_missed && g.is_made) begin_catch_up(m);
  refill(g);
}

void GroupSwarm::on_closed(load::LightClient& c, load::Blame blame, Errc code) {
  Member& m = members_[c.index];
  std::string what(load::blame_name(blame));
  if (code != Errc::kOk) what += " HY-" + std::to_string(static_cast<int>(code));
  ++errors_[what];
  ++m.moves;
  if (m.is_ready) {
    ++counts_.lost;
    leave(m);
    if (!keeps_connected_) return;
    m.intended_dial = now();
    const std::chrono::milliseconds window(c.storm_window_ms());
    dials_.push({now() + part(window, setup_.run ^ ++draws_), c.index});
    return;
  }
  --under_way_;
  ++counts_.failed;
  if (!is_stubborn_ && !keeps_connected_) return;
  const auto most = std::min(kBackoffMax, kBackoffMin * (1U << std::min(m.tries, kDoublingsMax)));
  ++m.tries;
  dials_.push({now() + part(most, setup_.run ^ c.uid().value() ^ ++draws_), c.index});
}

void GroupSwarm::leave(Member& m) {
  m.is_ready = false;
  m.has_missed = true;
  --open_;
  if (std::exchange(m.is_catching_up, false)) --catching_up_;
}

// ---- groups

std::string GroupSwarm::name_of(const Group& g) const {
  const std::size_t place = static_cast<std::size_t>(&g - groups_.data());
  return fmt::format("bench-{:x}-{}", setup_.run, setup_.first_index / setup_.members + place);
}

void GroupSwarm::make_groups() {
  for (Group& g : groups_) {
    if (!g.is_asked && member(g, 0).is_ready) make_group(g);
  }
}

void GroupSwarm::make_group(Group& g) {
  g.is_asked = true;
  Bytes body;
  load::put_bytes(body, 1, name_of(g));
  Bytes uids;  // repeated numbers, packed
  for (std::uint32_t i = 1; i < setup_.members; ++i)
    load::put_varint(uids, member(g, i).client->uid().value());
  load::put_bytes(body, 2, uids);
  const ClientMsgId creation =
      message_id(setup_.run, member(g, 0).client->uid(), 0, unix_ms(now()));
  load::put_bytes(body, 3, as_text(creation.bytes));
  member(g, 0).client->ask(load::LightClient::kGroupCreate, body);
}

void GroupSwarm::on_answer(load::LightClient& c, std::uint16_t type, Errc refused, ByteView body) {
  if (type != load::LightClient::kGroupCreate) return;
  Member& m = members_[c.index];
  Group& g = group_of(m);
  if (refused != Errc::kOk) {
    ++refused_groups_;
    ++errors_["group refused HY-" + std::to_string(static_cast<int>(refused))];
    return;
  }
  load::FieldReader answer(body);
  while (answer.next()) {
    if (answer.field() != 1) continue;
    load::FieldReader group(answer.bytes());
    while (group.next()) {
      if (group.field() == 1) g.conversation = ConversationId::group(Gid{group.number()});
      if (group.field() != 4) continue;
      load::FieldReader one(group.bytes());
      while (one.next()) {
        if (one.field() == 3) g.base = static_cast<std::uint32_t>(one.number());
      }
    }
  }
  if (g.conversation.lo == 0 || g.base == 0) {
    ++refused_groups_;
    ++errors_["group answer without a gid or a seq"];
    return;
  }
  g.is_made = true;
  g.head = std::max(g.head, g.base);
  if (g.numbers.empty()) g.first_seq = g.base + 1;
  // Nobody sees anything below the event; who did it knows it by this answer.
  for (std::uint32_t i = 0; i < setup_.members; ++i) {
    Member& other = member(g, i);
    other.contiguous = std::max(other.contiguous, g.base - 1);
  }
  m.contiguous = std::max(m.contiguous, g.base);
}

bool GroupSwarm::has_groups() const {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const Group& g = groups_[i / setup_.members];
    if (!g.is_made || members_[i].contiguous < g.base) return false;
  }
  return true;
}

// ---- what was not pushed

void GroupSwarm::on_hint(load::LightClient& c) {
  ++counts_.hints;
  c.sync({});
}

void GroupSwarm::on_sync_refused(load::LightClient& c, Millis retry_after) {
  members_[c.index].has_missed = true;
  holes_.push({now() + std::max<std::chrono::nanoseconds>(kPullAgain, retry_after), c.index});
}

void GroupSwarm::begin_catch_up(Member& m) {
  if (!m.is_ready || m.is_catching_up || !group_of(m).is_made) return;
  m.is_catching_up = true;
  ++catching_up_;
  m.client->pull(group_of(m).conversation, m.contiguous + 1, 0);
}

void GroupSwarm::catch_up_all() {
  for (Member& m : members_) {
    if (m.is_ready && !m.is_catching_up) m.client->sync({});
  }
}

void GroupSwarm::on_slice(load::LightClient& c, ConversationId conversation,
                          std::span<const load::PushView> rows, std::uint64_t head, bool more) {
  Member& m = members_[c.index];
  Group& g = group_of(m);
  if (!m.is_catching_up) return;
  m.is_catching_up = false;
  --catching_up_;
  if (conversation != g.conversation) {  // refused
    m.has_missed = true;
    holes_.push({now() + kPullAgain, c.index});
    return;
  }
  g.head = std::max(g.head, static_cast<std::uint32_t>(head));
  for (const load::PushView& row : rows) {
    const auto seq = static_cast<std::uint32_t>(row.seq);
    if (seq <= m.contiguous) continue;
    // The log itself is asked from the first seq that is missing: what it leaves out is gone.
    while (m.contiguous + 1 < seq) {
      wrong(&Ledger::lost, fmt::format("LOST group {} seq {} is not in the log", g.conversation.lo,
                                       m.contiguous + 1));
      ++m.contiguous;
      show_ahead(m, g);
    }
    if (seq <= m.contiguous) continue;
    ++counts_.pulled;
    arrived(m, g, seq, check(g, row));
  }
  m.has_missed = more || m.contiguous < head;
  if (m.has_missed && !rows.empty()) return begin_catch_up(m);
  if (m.has_missed) holes_.push({now() + kPullAgain, c.index});
}

// ---- time

MonoTime GroupSwarm::work(MonoTime t) {
  MonoTime next = t + kForEver;
  work_dials(t, next);
  if (rate_ > 0) {
    work_open(t);
    next = std::min(next, next_send());
  }
  work_waits(t, next);
  if (t >= next_trim_) {
    next_trim_ = t + kTrimEvery;
    for (Group& g : groups_) forget_numbers(g);
  }
  if (t >= next_ping_round_) {
    next_ping_round_ = t + kPingRound;
    work_pings(t);
  }
  return std::min({next, next_ping_round_, next_trim_});
}

void GroupSwarm::work_waits(MonoTime t, MonoTime& next) {
  while (!holes_.empty() && holes_.top().at <= t) {
    Member& m = members_[holes_.top().index];
    holes_.pop();
    m.awaits_hole = false;
    if (!m.ahead.empty() || m.has_missed) begin_catch_up(m);
  }
  if (!holes_.empty()) next = std::min(next, holes_.top().at);
  while (!refills_.empty() && refills_.top().at <= t) {
    Group& g = groups_[refills_.top().index];
    refills_.pop();
    g.has_to_wait = false;
    refill(g);
  }
  if (!refills_.empty()) next = std::min(next, refills_.top().at);
}

void GroupSwarm::work_pings(MonoTime t) {
  for (Member& m : members_) {
    if (!m.is_ready || t < m.next_ping) continue;
    m.next_ping = t + (ping_every_.count() > 0
                           ? ping_every_
                           : std::chrono::milliseconds(std::max(1'000U, m.client->heartbeat_ms())));
    if (outstanding_ > 0) continue;  // nobody is silent in a closed loop
    ++counts_.pings;
    m.client->ping();
  }
}

// ---- the end

bool GroupSwarm::is_settled() {
  if (catching_up_ > 0) return false;
  for (Group& g : groups_) {
    if (!g.flights.empty()) return false;
  }
  return std::ranges::all_of(members_, [this](const Member& m) {
    return !m.is_ready || (m.ahead.empty() && !m.has_missed &&
                           m.contiguous == groups_[m.client->index / setup_.members].head);
  });
}

Ledger GroupSwarm::judge() {
  for (Group& g : groups_) {
    forget_numbers(g);
    for (std::uint32_t i = 0; i < setup_.members; ++i) {
      const Member& m = member(g, i);
      // Who is away, or still fetches, misses nothing for good yet.
      if (!m.is_ready || m.is_catching_up || m.contiguous >= g.head) continue;
      const std::uint64_t missing = g.head - m.contiguous - m.ahead.size();
      found_.lost += missing;
      if (found_.violations.size() < kViolationsShown)
        found_.violations.push_back(fmt::format("LOST group {}: uid {} misses {} from seq {} on",
                                                g.conversation.lo, m.client->uid().value(), missing,
                                                m.contiguous + 1));
    }
  }
  found_.judged = counts_.sent;
  return std::exchange(found_, {});
}

}  // namespace hy::bench
