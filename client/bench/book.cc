#include "client/bench/book.h"

#include <algorithm>

#include "common/flat/flat_map.h"

namespace hy::bench {
namespace {

constexpr std::size_t kShown = 100;
constexpr std::size_t kEventsPerRecord = 3;

std::uint64_t content_of(Uid sender, std::uint32_t number) {
  return mix64(sender.value() ^ mix64(number)) | 1;
}

/// One pair's records as two histories and the rows of their log.
class Writer {
 public:
  Writer(const PairBook& pair, std::uint64_t run, judge::Evidence& out)
      : pair_(pair),
        run_(run),
        conv_(ConversationId::pair(pair.people[0], pair.people[1])),
        out_(out) {
    for (std::size_t side = 0; side < 2; ++side) {
      history_[side] = judge::History({pair.people[side], Slot::kDesktop, 1});
      push_[side] = pair.pushes[side];
      history_[side].events().reserve(pair.records.size() * kEventsPerRecord / 2 + 4);
    }
  }

  void write() {
    // What lies below the base is old: each device has it, and the log no
    // longer tells.
    if (pair_.base > 0) {
      for (std::size_t side = 0; side < 2; ++side) {
        history_[side].gap(0, conv_, Seq{1}, Seq{pair_.base}, Errc::kOk);
        history_[side].persist(0, conv_, Seq{pair_.base}, pair_.people[1 - side], {});
      }
    }
    for (const Record& r : pair_.records) write(r);
    for (std::size_t side = 0; side < 2; ++side) {
      const judge::Nanos last =
          pair_.records.empty() ? 0 : static_cast<judge::Nanos>(pair_.records.back().at) * kTickNs;
      history_[side].end(last, pair_.is_drained[side]);
      out_.histories.push_back(std::move(history_[side]));
    }
    for (const auto& [seq, row] : unclaimed_) {
      if (!claimed_.contains(seq)) out_.store.messages.push_back(row);
    }
    // Also when the book has a receipt or an ack alone.
    const std::uint32_t head = std::max(head_, pair_.base);
    if (head > 0)
      out_.store.conversations.push_back(
          {.conv = conv_, .head = head, .kept_from = pair_.base + 1});
  }

 private:
  [[nodiscard]] ClientMsgId id(std::size_t side, std::uint32_t number) const {
    return number == 0 ? ClientMsgId{} : message_id(run_, pair_.people[side], number, 0);
  }

  void write(const Record& r) {
    judge::History& h = history_[r.side];
    const judge::Nanos at = static_cast<judge::Nanos>(r.at) * kTickNs;
    const ClientMsgId own = id(r.side, r.number);
    const std::uint64_t content = content_of(pair_.people[r.side], r.number);
    switch (r.mark) {
      case Mark::kSent:
      case Mark::kSentAgain: h.send_invoke(at, own, conv_, content); break;
      case Mark::kStored:
        h.send_stored(at, own, conv_, Seq{r.seq});
        h.persist(at, conv_, Seq{r.seq}, pair_.people[r.side], own);
        claim(r.seq, r.side, own, content);
        break;
      case Mark::kRefused: h.send_fail(at, own, conv_, static_cast<Errc>(r.extra), true); break;
      case Mark::kPushed:
      case Mark::kHeld:
      case Mark::kPulled: arrived(r, at); break;
      case Mark::kShown:
        h.show(at, conv_, Seq{r.seq}, pair_.people[1 - r.side], id(1 - r.side, r.number));
        break;
      case Mark::kPulledOwn:
        h.persist(at, conv_, Seq{r.seq}, pair_.people[r.side], own);
        meet(r.seq, r.side, own, content);
        break;
      case Mark::kSkipped: ++push_[r.side]; break;
      case Mark::kAcked: acked(r, at); break;
      case Mark::kReceipt: h.receipt(at, conv_, Seq{r.seq}, pair_.people[1 - r.side], false); break;
      case Mark::kOpened:
        push_[r.side] = 0;
        received_[r.side] = 0;
        h.login_invoke(at, r.number);
        h.login_ok(at, r.number, {1, r.number});
        break;
      case Mark::kClosed: h.close(at, r.number, Errc::kOk, judge::ClosedBy::kNetwork); break;
    }
  }

  void arrived(const Record& r, judge::Nanos at) {
    judge::History& h = history_[r.side];
    const std::size_t other = 1 - r.side;
    const ClientMsgId theirs = id(other, r.number);
    const Uid sender = pair_.people[other];
    std::uint64_t content = content_of(sender, r.number);
    meet(r.seq, other, theirs, content);
    if ((r.extra & kWrongContent) != 0) content ^= 2;
    const bool is_push = r.mark != Mark::kPulled;
    if (is_push) received_[r.side] = ++push_[r.side];
    h.recv(at, is_push ? judge::Via::kPush : judge::Via::kPull, is_push ? push_[r.side] : 0, conv_,
           Seq{r.seq}, sender, theirs, content);
    h.persist(at, conv_, Seq{r.seq}, sender, theirs);
    if (r.mark != Mark::kHeld) h.show(at, conv_, Seq{r.seq}, sender, theirs);
    if ((r.extra & kShownBefore) != 0) h.show(at, conv_, Seq{r.seq}, sender, theirs);
  }

  void acked(const Record& r, judge::Nanos at) {
    // A push that was skipped left no event here: its ack confirms what came before it.
    const bool is_known = r.number <= push_[r.side];
    const std::uint32_t number = is_known ? std::min(r.number, received_[r.side]) : r.number;
    if (number > 0) history_[r.side].ack(at, number);
  }

  void claim(std::uint32_t seq, std::size_t side, const ClientMsgId& cmid, std::uint64_t content) {
    out_.store.messages.push_back(row(seq, side, cmid, content));
    claimed_.insert(seq);
    head_ = std::max(head_, seq);
  }
  void meet(std::uint32_t seq, std::size_t side, const ClientMsgId& cmid, std::uint64_t content) {
    unclaimed_.try_emplace(seq, row(seq, side, cmid, content));
    head_ = std::max(head_, seq);
  }
  [[nodiscard]] judge::MessageRow row(std::uint32_t seq, std::size_t side, const ClientMsgId& cmid,
                                      std::uint64_t content) const {
    return {
        .conv = conv_, .seq = seq, .sender = pair_.people[side], .cmid = cmid, .phash = content};
  }

  const PairBook& pair_;
  std::uint64_t run_;
  ConversationId conv_;
  judge::Evidence& out_;
  judge::History history_[2];
  std::uint32_t push_[2] = {0, 0};      ///< numbers used up
  std::uint32_t received_[2] = {0, 0};  ///< the last one whose arrival was written out
  std::uint32_t head_ = 0;
  FlatSet<std::uint32_t> claimed_;
  FlatMap<std::uint32_t, judge::MessageRow> unclaimed_;
};

void sort_into(const judge::Report& report, Ledger& out) {
  out.looked_at += report.looked_at;
  if (report.checker == "C-LOSS" || report.checker == "C-GAP")
    out.lost += report.found;
  else if (report.checker == "C-DUP")
    out.shown_twice += report.found;
  else if (report.checker == "C-ORDER" || report.checker == "C-FIFO")
    out.out_of_order += report.found;
  else
    out.dishonest += report.found;
  for (const judge::Violation& v : report.violations) {
    if (out.violations.size() < kShown)
      out.violations.push_back(std::string(v.checker) + " " + v.text);
  }
}

}  // namespace

ClientMsgId message_id(std::uint64_t run, Uid sender, std::uint32_t number, std::int64_t unix_ms) {
  ClientMsgId id;
  const std::uint64_t a = mix64(run ^ mix64(sender.value()) ^ number);
  // RFC 9562 §5.7: 48 bits of milliseconds, version 7, 12 bits, variant 10, 62 bits.
  put_be(id.bytes.data(), static_cast<std::uint64_t>(unix_ms) << 16 | 0x7000 | (a & 0x0FFF));
  put_be(id.bytes.data() + 8,
         (mix64(a ^ sender.value()) & 0x3FFF'FFFF'FFFF'FFFFULL) | 0x8000'0000'0000'0000ULL);
  return id;
}

bool is_message_id(std::string_view id, std::uint64_t run, Uid sender, std::uint32_t number) {
  constexpr std::size_t kTimeBytes = 6;
  const ClientMsgId own = message_id(run, sender, number, 0);
  return id.size() == own.bytes.size() &&
         id.substr(kTimeBytes) == as_text(own.bytes).substr(kTimeBytes);
}

void Ledger::merge(const Ledger& other) {
  lost += other.lost;
  shown_twice += other.shown_twice;
  out_of_order += other.out_of_order;
  dishonest += other.dishonest;
  judged += other.judged;
  looked_at += other.looked_at;
  records_dropped += other.records_dropped;
  for (const std::string& text : other.violations) {
    if (violations.size() < kShown) violations.push_back(text);
  }
}

Ledger judge_pairs(const std::vector<const PairBook*>& pairs, std::uint64_t run) {
  judge::Evidence evidence;
  evidence.has_store = true;
  Ledger out;
  for (const PairBook* pair : pairs) {
    out.judged +=
        static_cast<std::uint64_t>(std::ranges::count(pair->records, Mark::kSent, &Record::mark));
    Writer(*pair, run, evidence).write();
  }
  judge::Rules rules;
  rules.judges_speed = false;
  const judge::Verdict verdict = judge::judge(evidence, rules);
  for (const judge::Report& report : verdict.reports) sort_into(report, out);
  return out;
}

}  // namespace hy::bench
