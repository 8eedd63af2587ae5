#include "tests/judge/world.h"

#include <algorithm>
#include <utility>

namespace hy::judge {
namespace {

constexpr std::uint64_t kFirstTail = 12;
constexpr std::uint64_t kSlice = 7;  // rows of one PULL
constexpr std::int64_t kOverlapMs = 120'000;
const Uid kLate{5};  // signs in late and joins the group then

}  // namespace

Rules World::rules() {
  Rules rules;
  rules.first_tail = kFirstTail;
  rules.samples_min = 15;
  rules.sync_stale = 0;
  rules.revoked_gone_within = kSecond;
  rules.needs_placement = true;
  return rules;
}

World::World(std::uint64_t seed) : random_(seed) {
  const auto add = [&](std::uint64_t uid, Slot slot, std::uint32_t number) {
    auto d = std::make_unique<Device>();
    d->key = {Uid{uid}, slot, number};
    d->history = History(d->key);
    devices_.push_back(std::move(d));
  };
  for (std::uint64_t uid = 1; uid <= 4; ++uid) add(uid, Slot::kPhone, 1);
  add(1, Slot::kDesktop, 1);
  add(2, Slot::kPhone, 2);  // the second phone
  add(kLate.value(), Slot::kPhone, 1);
  const auto pair = [&](std::uint64_t a, std::uint64_t b) {
    logs_.push_back({ConversationId::pair(Uid{a}, Uid{b}), {}, {}, 1, {}});
    logs_.back().members[Uid{a}] = {};
    logs_.back().members[Uid{b}] = {};
  };
  pair(1, 2);
  pair(1, 3);
  pair(3, 4);
  pair(1, 5);
  logs_.push_back({ConversationId::group(Gid{9}), {}, {}, 1, {}});
  for (std::uint64_t uid = 1; uid <= 4; ++uid) logs_.back().members[Uid{uid}] = {};
}

Evidence World::run() {
  for (std::size_t i = 0; i < 5; ++i) sign_in(*devices_[i]);
  for (int i = 0; i < 12; ++i) act();
  std::vector<int> scenes{0, 1, 2, 3, 4, 5, 6, 7, 8};
  for (std::size_t i = scenes.size(); i > 1; --i)
    std::swap(scenes[i - 1], scenes[random_.below(i)]);
  for (const int scene : scenes) {
    const auto calm = 4 + random_.below(6);
    for (std::uint64_t i = 0; i < calm; ++i) act();
    switch (scene) {
      case 0: away_and_writing(); break;
      case 1: store_away(); break;
      case 2: kill_before_display(*devices_[3], logs_[2]); break;
      case 3: second_phone(); break;
      case 4: lose_store(); break;
      case 5: expire(); break;
      case 6: leave_group(); break;
      case 7: ended_by_the_operator(); break;
      default: entry_killed(); break;
    }
  }
  pass(15'000);
  sign_in(*devices_.back());
  join_group();
  for (int i = 0; i < 6; ++i) act();
  quiet();
  entry_killed();
  Evidence out;
  out.healed_at = now_;
  ending();
  out.faults = faults_;
  out.calm = calm_;
  out.revocations = revocations_;
  out.dumped_at = now_;
  out.has_store = out.has_placement = true;
  for (const char* name : {"router-1", "router-2"}) {
    out.routers.push_back({name, true, {}});
    for (const auto& d : devices_) {
      if (d->is_online)
        out.routers.back().rows.push_back({d->key.uid, d->key.slot, 0, EntryId{1}, d->epoch});
    }
  }
  for (const auto& d : devices_) {
    if (d->is_online) out.sessions.push_back({EntryId{1}, d->key.uid, d->key.slot, 0, d->epoch});
    d->history.end(tick(), d->is_online);
    for (const auto& [conv, view] : d->views) {
      if (view.have > 0 && one_in(2)) out.store.cursors.push_back({d->key, conv, view.have});
    }
    out.histories.push_back(std::move(d->history));
  }
  for (const Log& log : logs_) {
    const auto head = static_cast<std::uint64_t>(log.rows.size());
    out.store.conversations.push_back(
        {log.conv, head, log.kept_from, log.rows.empty() ? 0 : log.rows.back().server_ms});
    for (const MessageRow& row : log.rows) {
      if (row.seq >= log.kept_from) out.store.messages.push_back(row);
    }
    for (const auto& [uid, m] : log.members)
      out.store.members.push_back({uid, log.conv, m.join, m.leave, m.read, unread(log, uid)});
  }
  out.wire = wire_of(out, random_.next());
  return out;
}

// ── what happens ────────────────────────────────────────────────────────────────────────────────

void World::act() {
  pass(static_cast<int>(50 + random_.below(400)));
  Device& d = any_online();
  switch (random_.below(10)) {
    case 0: read(d, any_log(d.key.uid)); break;
    case 1: ask_presence(d); break;
    case 2: {
      Log& log = any_log(d.key.uid);
      const std::uint64_t text = random_.next();
      for (int i = 0; i < 3; ++i) write(d, log, text);  // the same said three times
      break;
    }
    default: write(d, any_log(d.key.uid), random_.next()); break;
  }
}

void World::write(Device& d, Log& log, std::uint64_t phash, bool later) {
  const ClientMsgId id = new_id();
  const std::uint64_t have = d.views[log.conv].have;
  d.history.send_invoke(tick(), id, log.conv, phash, 1, have > 0 && one_in(5) ? have : 0);
  d.states[id] = Shown::kOutbox;
  d.outbox.push_back({id, log.conv, phash});
  if (!later && d.is_online) flush(d);
}

void World::away_and_writing() {
  Device& d = *devices_[random_.below(2) == 0 ? 0 : 2];
  go_away(d, ClosedBy::kNetwork);
  Log& log = logs_[1];
  for (int i = 0; i < 3; ++i) write(d, log, random_.next());
  for (int i = 0; i < 4; ++i) act();
  sign_in(d);
}

void World::store_away() {
  faults_.push_back({"F12 store stop", now_, 0, Hits::kStoreDown, true});
  is_store_away_ = true;
  pass(3'200);
  for (int i = 0; i < 30; ++i) {
    Device& d = *devices_[i % 2 == 0 ? 0 : 2];
    if (d.is_online) write(d, logs_[1], random_.next());
    pass(150);
  }
  pass(2'500);
  is_store_away_ = false;
  faults_.back().to = now_;
  pass(1'000);
  for (const auto& d : devices_) {
    if (d->is_online) flush(*d);
  }
  pass(6'000);
}

void World::kill_before_display(Device& d, Log& log) {
  if (!d.is_online) return;
  Device& writer = *devices_[2];
  go_away(d, ClosedBy::kNetwork);
  write(writer, log, random_.next());
  sign_in(d);
  // The next row is on its disk when it dies, and not on its screen.
  Outgoing message{new_id(), log.conv, random_.next()};
  writer.history.send_invoke(tick(), message.id, log.conv, message.phash);
  writer.states[message.id] = Shown::kOutbox;
  pull(writer, log, log.rows.size());
  const std::uint64_t seq = commit(writer, message);
  answered(writer, message, seq, false);
  const MessageRow& row = log.rows[seq - 1];
  d.history.recv(tick(), Via::kPush, ++d.pushes, log.conv, Seq{seq}, row.sender, row.cmid,
                 row.phash);
  place(d, log, seq, false);
  d.history.ack(tick(), d.pushes);
  delivered(log, seq, d.key.uid);
  d.history.restart(tick());
  d.is_online = false;
  pass(500);
  sign_in(d);
}

void World::second_phone() {
  Device& old = *devices_[1];
  Device& fresh = *devices_[5];
  if (!old.is_online) return;
  const bool is_cut = one_in(2);
  const Nanos began = now_;
  sign_in(fresh, true);
  old.is_online = false;  // nothing reaches it any more
  if (is_cut) {
    pass(8'000);
    faults_.push_back({"F03 partition", began, now_, Hits::kReach, true});
  }
  pass(static_cast<int>(200 + random_.below(3'500)));
  old.history.close(now_, old.connection, Errc::kKicked, ClosedBy::kServer);
  old.is_kicked = true;
  pass(12'000);
  for (int i = 0; i < 6; ++i) act();
  pass(6'000);
}

void World::ended_by_the_operator() {
  Device& d = *devices_[2];
  if (!d.is_online) return;
  Revocation revocation{.uid = d.key.uid, .asked_at = tick()};
  if (one_in(2)) revocation.slot = d.key.slot;
  pass(100);
  revocation.told_at = tick();
  d.is_online = false;
  // The kick comes at once, or was lost and the device hears of it later.
  pass(static_cast<int>(one_in(2) ? 20 : random_.below(4'000)));
  revocation.reachable_from = one_in(4) ? now_ : revocation.told_at;
  d.history.close(now_, d.connection, Errc::kRevoked, ClosedBy::kServer);
  revocations_.push_back(revocation);
  pass(11'000);
  sign_in(d, true);
  pass(1'000);
}

void World::lose_store() {
  Device& d = *devices_[4];
  if (!d.is_online || !d.outbox.empty()) return;
  for (Log& log : logs_) {
    if (is_member(log, d.key.uid) && log.rows.size() < kFirstTail + 4 && devices_[0]->is_online) {
      for (std::size_t i = log.rows.size(); i < kFirstTail + 4; ++i)
        write(*devices_[0], log, random_.next());
      break;
    }
  }
  go_away(d, ClosedBy::kApp);
  pass(1'000);
  const auto connection = d.connection;
  d.history.new_store(tick());
  d.views.clear();
  d.provisional.clear();
  d.states.clear();
  d.outbox.clear();
  d.since = 0;
  d.useq = user_logs_[d.key.uid].size();  // an empty store learns of the present alone
  d.connection = connection;
  sign_in(d);
}

void World::expire() {
  Device& away = *devices_[3];
  Device& writer = *devices_[2];
  Log& log = logs_[2];
  if (!away.is_online || !writer.is_online) return;
  go_away(away, ClosedBy::kNetwork);
  for (int i = 0; i < 10; ++i) write(writer, log, random_.next());
  read(writer, log);
  if (is_store_away_ || !writer.outbox.empty()) return;
  log.kept_from = std::max(log.kept_from, static_cast<std::uint64_t>(log.rows.size()) - 4);
  pass(2'000);
  sign_in(away);
  read(away, log);
}

void World::leave_group() {
  Log& group = logs_.back();
  for (int i = 0; i < 2; ++i) write(*devices_[2], group, random_.next());
  if (!devices_[3]->outbox.empty()) return;
  group.members[Uid{4}].leave = group.rows.size() + 1;
  has_left_ = true;
  pass(100);
  for (int i = 0; i < 3; ++i) write(*devices_[2], group, random_.next());
}

void World::join_group() {
  Log& group = logs_.back();
  group.members[kLate] = {group.rows.size() + 1, 0, 0};
  for (int i = 0; i < 3; ++i) write(*devices_[2], group, random_.next());
}

void World::entry_killed() {
  const Nanos began = now_;
  std::vector<Device*> gone;
  for (const auto& d : devices_) {
    if (d->is_online && one_in(2)) gone.push_back(d.get());
  }
  for (Device* d : gone) go_away(*d, ClosedBy::kNetwork);
  pass(2'000);
  faults_.push_back({"kill entry", began, now_, Hits::kSpeed, true});
  for (Device* d : gone) sign_in(*d);
  pass(6'000);
}

/// Pairs talk, nobody comes or goes: everything is seen at once.
void World::quiet() {
  pass(1'000);
  is_quiet_ = true;
  const Nanos from = now_;
  for (int i = 0; i < 8; ++i) {
    for (const std::size_t l : {0U, 1U, 2U}) {
      Device& d = *devices_[one_in(2) ? 0 : 2];
      if (d.is_online && is_member(logs_[l], d.key.uid)) write(d, logs_[l], random_.next());
    }
    pass(static_cast<int>(50 + random_.below(700)));
  }
  pass(4'000);
  calm_.push_back({from, now_});
  is_quiet_ = false;
  pass(1'000);
}

void World::read(Device& d, Log& log) {
  if (!d.is_online || !is_member(log, d.key.uid)) return;
  const std::uint64_t seq = d.views[log.conv].have;
  Member& m = log.members[d.key.uid];
  if (seq == 0 || seq <= m.read) return;
  d.history.read_invoke(tick(), log.conv, Seq{seq});
  // Sometimes the person reads on before the first READ is answered, and its answer comes last.
  const std::uint64_t first = seq > m.read + 1 && one_in(3) ? seq - 1 : 0;
  const std::uint32_t overtaken = first > 0 ? ++d.request : 0;
  if (first > 0) d.history.read_ask(tick(), overtaken, log.conv, Seq{first});
  const std::uint32_t request = ++d.request;
  d.history.read_ask(tick(), request, log.conv, Seq{seq});
  m.read = seq;
  d.history.read_ok(tick(), request, log.conv, Seq{seq});
  if (first > 0) d.history.read_ok(tick(), overtaken, log.conv, Seq{first});
  auto& events = user_logs_[d.key.uid];
  events.emplace_back(log.conv, seq);
  for (Device* own : devices_of(d.key.uid)) {
    if (!own->is_online) continue;
    own->useq = events.size();
    own->history.user_event(tick(), Useq{own->useq});
    show_unread(*own, log);
  }
  for (const auto& other : devices_) {
    if (!other->is_online || other->key.uid == d.key.uid || !is_member(log, other->key.uid))
      continue;
    other->history.receipt(tick(), log.conv, Seq{seq}, d.key.uid, true);
    for (std::uint64_t s = std::max<std::uint64_t>(seq, 3) - 2; s <= seq; ++s) {
      const auto at = other->states.find(log.rows[s - 1].cmid);
      if (at != other->states.end() && at->second != Shown::kOutbox)
        set_state(*other, log.rows[s - 1].cmid, Shown::kRead);
    }
  }
}

void World::ask_presence(Device& d) {
  const Uid about{1 + random_.below(5)};
  const auto theirs = devices_of(about);
  const bool is_online =
      std::ranges::any_of(theirs, [](const Device* other) { return other->is_online; });
  const Answer truth = is_online ? Answer::kOnline : Answer::kOffline;
  d.history.presence(tick(), about, one_in(6) ? Answer::kUnknown : truth);
}

void World::ending() {
  pass(1'000);
  for (const auto& d : devices_) {
    if (!d->is_online && !d->is_kicked) sign_in(*d);
  }
  for (int round = 0; round < 2; ++round) {
    for (const auto& d : devices_) {
      if (d->is_online) flush(*d);
    }
    pass(500);
  }
  for (const auto& d : devices_) {
    if (!d->is_online) continue;
    sync(*d);
    for (Log& log : logs_) {
      if (is_member(log, d->key.uid)) show_unread(*d, log);
    }
  }
  pass(12'000);
}

// ── how it happens ──────────────────────────────────────────────────────────────────────────────

void World::flush(Device& d) {
  while (!d.outbox.empty()) {
    Outgoing& first = d.outbox.front();
    if (!attempt(d, first)) break;
    d.outbox.erase(d.outbox.begin());
  }
  if (!is_store_away_ || d.outbox.size() < 2) return;
  // The others are relayed too, in their order.
  for (std::size_t i = 1; i < d.outbox.size(); ++i) {
    if (!d.outbox[i].is_relayed) (void)relay(d, d.outbox[i]);
  }
}

bool World::attempt(Device& d, Outgoing& message) {
  if (is_store_away_) {
    if (!message.is_relayed && !relay(d, message))
      d.history.send_info(tick(), message.id, message.conv, Errc::kDeadlineExceeded);
    return false;
  }
  if (!message.is_relayed && one_in(40)) {
    d.history.send_fail(tick(), message.id, message.conv, Errc::kForbidden, true);
    set_state(d, message.id, Shown::kRefused);
    return true;
  }
  if (one_in(20)) {
    d.history.send_fail(tick(), message.id, message.conv, Errc::kOverloaded, false);
    pass(300);
  }
  Log& log = *std::ranges::find(logs_, message.conv, &Log::conv);
  pull(d, log, log.rows.size());
  const std::uint64_t seq = commit(d, message);
  const bool is_answer_lost = one_in(12);
  if (!is_answer_lost) answered(d, message, seq, false);
  push_all(log, seq, d);
  if (is_answer_lost) {
    d.history.send_info(tick(), message.id, message.conv, Errc::kDeadlineExceeded);
    pass(900);
    answered(d, message, seq, true);
  }
  return true;
}

bool World::relay(Device& d, Outgoing& message) {
  Log& log = *std::ranges::find(logs_, message.conv, &Log::conv);
  bool is_reached = false;
  for (const auto& other : devices_) {
    const Uid uid = other->key.uid;
    if (!other->is_online || uid == d.key.uid || !is_member(log, uid)) continue;
    other->history.recv(tick(), Via::kPush, ++other->pushes, log.conv, Seq{0}, d.key.uid,
                        message.id, message.phash, true);
    other->history.persist(tick(), log.conv, Seq{0}, d.key.uid, message.id);
    other->provisional.insert(message.id);
    other->history.show(tick(), log.conv, Seq{0}, d.key.uid, message.id, true);
    other->history.ack(tick(), other->pushes);
    is_reached = true;
  }
  if (!is_reached) return false;
  message.is_relayed = true;
  d.history.send_relayed(tick(), message.id, message.conv);
  set_state(d, message.id, Shown::kRelayed);
  return true;
}

std::uint64_t World::commit(Device& d, Outgoing& message) {
  Log& log = *std::ranges::find(logs_, message.conv, &Log::conv);
  tick();
  log.rows.push_back({log.conv, log.rows.size() + 1, d.key.uid, message.id, message.phash,
                      store_ms(), !one_in(10), false});
  return log.rows.size();
}

void World::answered(Device& d, const Outgoing& message, std::uint64_t seq, bool repeat) {
  Log& log = *std::ranges::find(logs_, message.conv, &Log::conv);
  d.history.send_stored(tick(), message.id, message.conv, Seq{seq}, repeat);
  set_state(d, message.id, Shown::kStored);
  place(d, log, seq);
}

void World::push_all(Log& log, std::uint64_t seq, const Device& from) {
  for (const auto& other : devices_) {
    if (other.get() == &from || !other->is_online || !is_member(log, other->key.uid)) continue;
    if (!is_quiet_ && one_in(15)) continue;  // lost: the next push or SYNC shows the hole
    push(*other, log, seq);
    if (other->key.uid != from.key.uid) delivered(log, seq, other->key.uid);
  }
}

void World::push(Device& d, Log& log, std::uint64_t seq) {
  const MessageRow& row = log.rows[seq - 1];
  d.history.recv(tick(), Via::kPush, ++d.pushes, log.conv, Seq{seq}, row.sender, row.cmid,
                 row.phash);
  const std::uint32_t number = d.pushes;
  meet(d, log, seq);
  pull(d, log, seq - 1);
  place(d, log, seq);
  d.history.ack(tick(), number);
}

void World::delivered(Log& log, std::uint64_t seq, Uid by) {
  const MessageRow& row = log.rows[seq - 1];
  for (Device* own : devices_of(row.sender)) {
    if (!own->is_online) continue;
    own->history.receipt(tick(), log.conv, Seq{seq}, by, false);
    const auto at = own->states.find(row.cmid);
    if (at != own->states.end() && at->second == Shown::kStored)
      set_state(*own, row.cmid, Shown::kDelivered);
  }
}

void World::place(Device& d, Log& log, std::uint64_t seq, bool show) {
  View& view = d.views[log.conv];
  if (seq <= view.have) return;
  const MessageRow& row = log.rows[seq - 1];
  d.history.persist(tick(), log.conv, Seq{seq}, row.sender, row.cmid);
  const std::uint64_t base = std::exchange(view.have, seq);
  d.history.cursor(tick(), log.conv, Seq{base}, Seq{seq});
  const bool is_own = row.sender == d.key.uid && d.states.contains(row.cmid);
  if (is_own || !show) return;
  if (d.provisional.erase(row.cmid) > 0) {
    d.history.move(tick(), log.conv, Seq{seq}, row.sender, row.cmid);
  } else {
    d.history.show(tick(), log.conv, Seq{seq}, row.sender, row.cmid);
  }
}

/// The first time that a device hears of a conversation, it takes the tail.
void World::meet(Device& d, Log& log, std::uint64_t head) {
  View& view = d.views[log.conv];
  if (view.is_known) return;
  view.is_known = true;
  const std::uint64_t join = log.members[d.key.uid].join;
  if (join > 1) view.have = std::max(view.have, join - 1);
  if (head <= kFirstTail || head - kFirstTail <= view.have) return;
  d.history.gap(tick(), log.conv, Seq{view.have + 1}, Seq{head - kFirstTail}, Errc::kTooFar);
  view.have = head - kFirstTail;
}

void World::pull(Device& d, Log& log, std::uint64_t to) {
  View& view = d.views[log.conv];
  to = std::min(to, last_for(log, d.key.uid));
  meet(d, log, to);
  while (view.have < to) {
    const std::uint64_t from = view.have + 1;
    const std::uint32_t request = ++d.request;
    d.history.pull_invoke(tick(), request, log.conv, Seq{from}, Seq{to});
    std::uint64_t first = from;
    if (from < log.kept_from) first = log.kept_from;
    const std::uint64_t last = std::min(to, first + kSlice - 1);
    std::vector<Item> rows;
    for (std::uint64_t seq = first; seq <= last; ++seq)
      rows.push_back({log.conv, seq, log.rows[seq - 1].cmid});
    d.history.pull_ok(tick(), request, log.conv, Seq{from}, Seq{last}, rows,
                      Seq{first > from ? first - 1 : 0});
    if (first > from) {
      d.history.gap(tick(), log.conv, Seq{from}, Seq{first - 1}, Errc::kOk);
      view.have = first - 1;
    }
    for (std::uint64_t seq = first; seq <= last; ++seq) {
      const MessageRow& row = log.rows[seq - 1];
      d.history.recv(tick(), Via::kPull, 0, log.conv, Seq{seq}, row.sender, row.cmid, row.phash);
      place(d, log, seq);
    }
  }
}

void World::sync(Device& d) {
  const std::uint32_t request = ++d.request;
  d.history.sync_invoke(tick(), request, d.since);
  const std::int64_t now_ms = store_ms();
  std::vector<Item> named;
  for (Log& log : logs_) {
    const std::uint64_t last = last_for(log, d.key.uid);
    if (!log.members.contains(d.key.uid) || last == 0) continue;
    if (log.rows.back().server_ms >= d.since - kOverlapMs) named.push_back({log.conv, last, {}});
  }
  const auto& events = user_logs_[d.key.uid];
  while (d.useq < events.size()) d.history.user_event(tick(), Useq{++d.useq});
  d.history.sync_ok(tick(), request, now_ms, Useq{d.useq}, named);
  d.since = now_ms;
  for (const Item& item : named) {
    Log& log = *std::ranges::find(logs_, item.conv, &Log::conv);
    pull(d, log, item.seq);
  }
}

void World::sign_in(Device& d, bool new_auth) {
  std::uint32_t& auth = auth_[{d.key.uid, d.key.slot}];
  if (auth == 0 || new_auth) ++auth;
  ++d.connection;
  d.history.login_invoke(tick(), d.connection);
  if (one_in(15)) {
    d.history.login_fail(tick(), d.connection, Errc::kUnavailable);
    pass(400);
    d.history.login_invoke(tick(), ++d.connection);
  }
  d.epoch = {auth, d.connection};
  d.history.login_ok(tick(), d.connection, d.epoch, 1);
  if (!d.was_ever_online) d.useq = user_logs_[d.key.uid].size();
  d.is_online = d.was_ever_online = true;
  d.pushes = 0;
  sync(d);
  flush(d);
}

void World::go_away(Device& d, ClosedBy by) {
  if (!d.is_online) return;
  d.is_online = false;
  d.history.close(tick(), d.connection, Errc::kOk, by);
}

void World::set_state(Device& d, const ClientMsgId& id, Shown to) {
  const auto at = d.states.find(id);
  if (at == d.states.end() || at->second == to) return;
  d.history.state(tick(), id, at->second, to);
  at->second = to;
}

void World::show_unread(Device& d, Log& log) {
  const std::int64_t count = unread(log, d.key.uid);
  if (count >= 0) d.history.unread(tick(), log.conv, count);
}

std::int64_t World::unread(const Log& log, Uid uid) const {
  std::uint64_t from = log.members.at(uid).read;
  for (const MessageRow& row : log.rows) {
    if (row.sender == uid && !log.conv.is_group()) from = std::max(from, row.seq);
  }
  if (from + 1 < log.kept_from) return -1;
  const Member& m = log.members.at(uid);
  return std::ranges::count_if(log.rows, [&](const MessageRow& row) {
    return row.seq > from && row.countable && row.seq >= m.join &&
           (m.leave == 0 || row.seq < m.leave);
  });
}

std::uint64_t World::last_for(const Log& log, Uid uid) const {
  const auto at = log.members.find(uid);
  if (at == log.members.end()) return 0;
  const auto head = static_cast<std::uint64_t>(log.rows.size());
  if (head < at->second.join) return 0;
  return at->second.leave == 0 ? head : std::min(head, at->second.leave - 1);
}

bool World::is_member(const Log& log, Uid uid) const {
  const auto at = log.members.find(uid);
  return at != log.members.end() && at->second.leave == 0;
}

Nanos World::tick(int at_most_ms) {
  now_ +=
      100'000 + static_cast<Nanos>(random_.below(static_cast<std::uint64_t>(at_most_ms))) * 500'000;
  return now_;
}

ClientMsgId World::new_id() {
  ClientMsgId id;
  random_.fill(id.bytes);
  return id;
}

World::Device& World::any_online() {
  for (;;) {
    Device& d = *devices_[random_.below(devices_.size())];
    if (d.is_online) return d;
  }
}

World::Log& World::any_log(Uid uid) {
  for (;;) {
    Log& log = logs_[random_.below(logs_.size())];
    if (is_member(log, uid)) return log;
  }
}

std::vector<World::Device*> World::devices_of(Uid uid) {
  std::vector<Device*> out;
  for (const auto& d : devices_) {
    if (d->key.uid == uid) out.push_back(d.get());
  }
  return out;
}

}  // namespace hy::judge
