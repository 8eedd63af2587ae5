#include "entry/link/router_link.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::entry {
namespace {

constexpr std::size_t kOpsRowsMax = 1'000;   // rows in one Ops envelope
constexpr std::size_t kPartRowsMax = 1'000;  // rows in one part of a dump
// Smaller dumps cost a replica nothing and need no spreading.
constexpr std::size_t kSpreadFromRows = 5'000;

}  // namespace

RouterLink::RouterLink(RouterPort& port, Random& random, std::uint32_t replicas,
                       Incarnation incarnation, LinkTimes times)
    : port_(port), random_(random), times_(times), links_(replicas), incarnation_(incarnation) {
  for (std::uint32_t i = 0; i < replicas; ++i) log_.reset_digest(i, 0);
}

void RouterLink::on_up(std::uint32_t replica, MonoTime now) {
  Link& link = links_[replica];
  const std::uint64_t key = random_.next();
  log_.reset_digest(replica, key);
  const std::uint64_t acked = link.acked;
  const std::uint32_t stream = link.stream + 1;
  link = Link{};
  link.state = LinkState::kHello;
  link.stream = stream;
  link.acked = acked;
  link.hello_at = now;
  link.next_heartbeat = now;
  link.next_buckets = now + times_.bucket_digests;
  port_.hello(
      replica,
      {.incarnation = incarnation_, .digest_key = key, .first_op_held = log_.first_op_held()});
}

void RouterLink::on_down(std::uint32_t replica, MonoTime /*now*/) {
  Link& link = links_[replica];
  link.state = LinkState::kDown;
  link.dump.clear();
  link.dump.shrink_to_fit();
}

RouterLink::Verdict RouterLink::on_news(std::uint32_t replica, const RouterNews& news,
                                        MonoTime now) {
  if (news.bad_incarnation_known > 0) {
    if (news.bad_incarnation_known < incarnation_.value()) return Verdict::kFine;  // an old answer
    if (was_accepted_) return Verdict::kNameTaken;
    incarnation_ = Incarnation{news.bad_incarnation_known + 1};
    return Verdict::kReannounce;
  }
  Link& link = links_[replica];
  if (link.state == LinkState::kDown) return Verdict::kFine;
  if (news.need_snapshot) {
    start_dump(replica, now);
  } else if (news.acked_op > 0) {
    on_ack(replica, news.acked_op, now);
  }
  link.digests_due = link.digests_due || news.digests_wanted;
  for (const std::uint32_t bucket : news.rows_wanted) {
    if (bucket < flow::kDigestBuckets) link.rows_due.push_back(bucket);
  }
  return Verdict::kFine;
}

void RouterLink::on_ack(std::uint32_t replica, std::uint64_t op, MonoTime now) {
  Link& link = links_[replica];
  if (op > log_.last_op() || (link.follows() && op > link.sent)) {
    start_dump(replica, now);  // it confirms what it never got: its state is not ours
    return;
  }
  if (link.state == LinkState::kHello) {
    // It still knows our rows up to `op`: go on behind that if we still hold what follows.
    if (op + 1 < log_.first_op_held()) {
      start_dump(replica, now);
      return;
    }
    link.sent = op;
    link.acked = op;
    link.state = LinkState::kLive;
    was_accepted_ = true;
    send_ops(replica, now);
    return;
  }
  if (op <= link.acked && link.state == LinkState::kLive) return;
  link.acked = std::max(link.acked, op);
  link.waits_since = now;
  if (link.state == LinkState::kDumping && link.dump_is_out && op >= link.dump_op) {
    link.state = LinkState::kLive;
    was_accepted_ = true;
  }
  forget_confirmed();
}

void RouterLink::start_dump(std::uint32_t replica, MonoTime now) {
  Link& link = links_[replica];
  ++dumps_;
  link.state = LinkState::kDumping;
  link.dump = log_.all_rows();
  link.dump_op = log_.last_op();
  link.dump_next = 0;
  link.dump_is_out = false;
  link.acked = 0;
  link.dump_from = now;
  if (link.dump.size() > kSpreadFromRows) {
    // After a replica's restart all entries are asked at once.
    link.dump_from += Millis{static_cast<std::int64_t>(
        random_.below(static_cast<std::uint64_t>(times_.dump_spread.count()) + 1))};
  }
  step_dump(replica, now);
}

void RouterLink::step_dump(std::uint32_t replica, MonoTime now) {
  Link& link = links_[replica];
  if (link.dump_is_out || now < link.dump_from) return;
  const auto elapsed = std::chrono::duration_cast<Millis>(now - link.dump_from).count();
  // What may be out by now, and one part ahead.
  const std::size_t allowed =
      static_cast<std::size_t>(elapsed) * times_.dump_rows_per_second / 1'000 + kPartRowsMax;
  while (link.dump_next < link.dump.size()) {
    if (link.dump_next >= allowed || !port_.has_room(replica)) return;
    const std::size_t count = std::min(kPartRowsMax, link.dump.size() - link.dump_next);
    port_.snapshot(replica, std::span(link.dump).subspan(link.dump_next, count), false, 0);
    link.dump_next += count;
  }
  sync_point("entry.before_dump_end");
  port_.snapshot(replica, {}, true, link.dump_op);
  link.dump_is_out = true;
  link.sent = link.dump_op;
  link.waits_since = now;
  link.dump.clear();
  link.dump.shrink_to_fit();
  send_ops(replica, now);
}

void RouterLink::send_ops(std::uint32_t replica, MonoTime now) {
  Link& link = links_[replica];
  if (!link.follows()) return;
  if (link.sent + 1 < log_.first_op_held()) {
    start_dump(replica, now);
    return;
  }
  std::vector<PlacementRow> rows;
  while (link.sent < log_.last_op() && port_.has_room(replica)) {
    rows.clear();
    const std::uint64_t last = log_.collect(link.sent, kOpsRowsMax, rows);
    if (link.sent == link.acked) link.waits_since = now;
    port_.ops(replica, link.sent, last, rows);
    sync_point("entry.after_ops_sent");
    link.sent = last;
  }
}

void RouterLink::flush(MonoTime now) {
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    send_ops(i, now);
    send_what_was_asked(i);
  }
}

void RouterLink::send_what_was_asked(std::uint32_t replica) {
  Link& link = links_[replica];
  if (!link.follows()) {
    link.digests_due = false;  // a dump answers more
    link.rows_due.clear();
    return;
  }
  if (link.digests_due && link.sent == log_.last_op()) {
    port_.bucket_digests(replica, link.sent, log_.digest(replica).buckets());
    link.digests_due = false;
  }
  for (const std::uint32_t bucket : link.rows_due) {
    port_.bucket_rows(replica, bucket, log_.rows_of_bucket(bucket));
  }
  link.rows_due.clear();
}

void RouterLink::send_heartbeat(std::uint32_t replica, MonoTime now, bool draining) {
  Link& link = links_[replica];
  LinkHeartbeat out{.incarnation = incarnation_, .draining = draining};
  send_ops(replica, now);
  // The digest stands for the state after last_op: said only when the stream has got that far.
  if (link.follows() && link.sent == log_.last_op()) {
    out.last_op = link.sent;
    out.rows = log_.live_rows();
    out.digest_root = log_.digest(replica).root();
    if (now >= link.next_buckets) {
      link.next_buckets = now + times_.bucket_digests;
      port_.bucket_digests(replica, link.sent, log_.digest(replica).buckets());
    }
  }
  port_.heartbeat(replica, out);
  link.next_heartbeat = now + times_.heartbeat;
}

void RouterLink::step(MonoTime now, bool draining) {
  if (!live_ever_judged_ || live() > 0) {
    live_ever_judged_ = true;
    live_last_ = now;
  }
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    Link& link = links_[i];
    if (link.state == LinkState::kDown) continue;
    if (link.state == LinkState::kHello && now - link.hello_at >= times_.hello_patience) {
      start_dump(i, now);
    }
    if (link.state == LinkState::kDumping) step_dump(i, now);
    if (link.follows() && link.sent > link.acked && now - link.waits_since >= times_.ack_late) {
      start_dump(i, now);
    }
    if (now >= link.next_heartbeat) send_heartbeat(i, now, draining);
  }
  forget_confirmed();
}

void RouterLink::forget_confirmed() {
  // Nobody who is away or behind may make the log grow without bound: he gets a dump later.
  std::uint64_t low = log_.last_op();
  for (const Link& link : links_) {
    if (link.state == LinkState::kLive) {
      low = std::min(low, link.acked);
    } else if (link.state == LinkState::kDumping) {
      low = std::min(low, link.dump_is_out ? std::max(link.acked, link.dump_op) : link.dump_op);
    } else {
      low = std::min(low, link.acked);  // may come back and go on from there
    }
  }
  if (log_.held() > times_.held_ops_max) {
    low = std::max(low, log_.last_op() - times_.held_ops_max / 2);
  }
  log_.confirm(low);
}

void RouterLink::result(const DeliveryResult& result) {
  const DeliveryRef& ref = result.ref;
  if (ref.id == 0 || ref.replica >= links_.size()) return;
  const Link& link = links_[ref.replica];
  if (link.state == LinkState::kDown || link.stream != ref.stream) return;
  port_.result(ref.replica, result);
}

std::uint32_t RouterLink::live() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(
      links_, [](const Link& link) { return link.state == LinkState::kLive; }));
}

bool RouterLink::live_replicas_confirmed(std::uint64_t op) const {
  return std::ranges::all_of(links_, [op](const Link& link) {
    return link.state != LinkState::kLive || link.acked >= op;
  });
}

bool RouterLink::all_replicas_confirmed(std::uint64_t op) const {
  return std::ranges::all_of(links_, [op](const Link& link) {
    return link.state == LinkState::kLive && link.acked >= op;
  });
}

bool RouterLink::is_unplaced(MonoTime now) const {
  return live() == 0 && live_ever_judged_ && now - live_last_ >= times_.unplaced_after;
}

}  // namespace hy::entry
