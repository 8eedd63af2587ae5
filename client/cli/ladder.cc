#include "client/cli/ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

using Kind = LadderEvent::Kind;
constexpr int kSend = 1;
constexpr int kStored = 2;
constexpr int kPush = 3;
constexpr int kPushAck = 4;
constexpr int kAckOk = 5;
constexpr int kReceipt = 6;
constexpr int kPacketWidth = 9;
constexpr int kNoteAndTimeWidth = 19;

/// The note at the left, the milliseconds at the right; a long note takes the room between.
std::string note_and_time(const Rung& rung) {
  const std::string time = fmt::format("{:.1f}", static_cast<double>(rung.at_us) / 1'000.0);
  const int gap = kNoteAndTimeWidth - display_width(rung.note) - static_cast<int>(time.size());
  return rung.note + std::string(static_cast<std::size_t>(std::max(1, gap)), ' ') + time + " ms";
}

std::string seq_note(Seq seq) {
  return fmt::format("seq {}", seq.value());
}

std::string ordinal(std::uint32_t n) {
  if (n == 2) return "2nd";
  if (n == 3) return "3rd";
  return fmt::format("{}th", n);
}

}  // namespace

bool Ladder::is_complete() const {
  for (int place = kSend; place <= kReceipt; ++place) {
    if (!has(place)) return false;
  }
  return true;
}

std::optional<std::int64_t> Ladder::time_of(int place) const {
  for (const Rung& rung : rungs_) {
    if (rung.place == place) return rung.at_us;
  }
  return std::nullopt;
}

void Ladder::add(Rung rung) {
  // A receiver on the same host may be faster than the sender's own thread.
  if (!start_us_) start_us_ = rung.at_us;
  rung.at_us -= *start_us_;
  rungs_.push_back(std::move(rung));
}

std::vector<Rung> Ladder::rungs() const {
  // A plain ladder keeps the order of the six packets, although the events of two devices may
  // interleave by a few microseconds. With lines between, what happened when is what counts.
  const bool is_plain = std::ranges::all_of(rungs_, [](const Rung& r) { return r.place != 0; });
  std::vector<std::pair<std::int64_t, std::size_t>> order;
  for (std::size_t i = 0; i < rungs_.size(); ++i) {
    order.emplace_back(is_plain ? rungs_[i].place : rungs_[i].at_us, i);
  }
  std::ranges::sort(order);
  std::vector<Rung> out;
  for (const auto& [key, i] : order) out.push_back(rungs_[i]);
  return out;
}

Ladder& LadderBook::open(const ClientMsgId& id, const std::string& sender) {
  const auto found = ladders_.find(id);
  if (found != ladders_.end()) return found->second;
  order_.push_back(id);
  if (order_.size() > ladders_max_) {
    ladders_.erase(order_.front());
    order_.pop_front();
  }
  return ladders_.emplace(id, Ladder(id, sender)).first->second;
}

const Ladder* LadderBook::find(const ClientMsgId& id) const {
  const auto found = ladders_.find(id);
  return found == ladders_.end() ? nullptr : &found->second;
}

void LadderBook::add(const std::string& who, const LadderEvent& event) {
  switch (event.kind) {
    case Kind::kSend:
    case Kind::kSendAgain:
    case Kind::kStored:
    case Kind::kRelayed:
    case Kind::kRefused:
    case Kind::kRepeat: add_sender_side(who, event); break;
    case Kind::kPush:
    case Kind::kPushAgain: add_push(who, event); break;
    case Kind::kPushAck:
    case Kind::kAckOk: add_cumulative(who, event); break;
    case Kind::kReceipt: add_receipt(who, event); break;
    case Kind::kSync:
      // A new connection counts its pushes from one again.
      for (auto& [id, ladder] : ladders_) {
        if (ladder.receiver_ == who) ladder.push_number_ = 0;
      }
      break;
    case Kind::kSyncHint:
    case Kind::kPull:
    case Kind::kSyncDone: break;
  }
}

void LadderBook::add_sender_side(const std::string& who, const LadderEvent& event) {
  Ladder& ladder = open(event.client_msg_id, who);
  switch (event.kind) {
    case Kind::kSend:
      if (ladder.has(kSend)) return;
      ladder.add({'R', true, who, "SEND", short_id(event.client_msg_id), event.at_us, kSend});
      break;
    case Kind::kSendAgain:
      ladder.add({'R', true, who, "SEND", ordinal(event.try_number) + " try", event.at_us, 0});
      break;
    case Kind::kRelayed:
      ladder.was_relayed_ = true;
      ladder.add({'A', false, who, "RELAYED", "not saved yet", event.at_us, 0});
      break;
    case Kind::kRefused:
      ladder.add({'A', false, who, "refused", error_code_text(event.code), event.at_us, 0});
      break;
    case Kind::kRepeat:
      ladder.add({'A', false, who, "repeat", "first answer", event.at_us, 0});
      [[fallthrough]];
    default:
      ladder.conversation_ = event.conversation;
      ladder.seq_ = event.seq;
      if (ladder.has(kStored)) return;
      ladder.add({'A', false, who, "STORED", seq_note(event.seq), event.at_us, kStored});
  }
}

void LadderBook::add_push(const std::string& who, const LadderEvent& event) {
  const auto found = ladders_.find(event.client_msg_id);
  if (found == ladders_.end()) return;  // a message of somebody that nobody watches
  Ladder& ladder = found->second;
  const std::string note = event.seq.value() == 0
                               ? fmt::format("n {} unsaved", event.push_number)
                               : fmt::format("n {} seq {}", event.push_number, event.seq.value());
  const bool is_again = event.kind == Kind::kPushAgain || ladder.has(kPush);
  ladder.receiver_ = who;
  ladder.push_number_ = event.push_number;
  ladder.add(
      {'N', false, who, is_again ? "again" : "PUSH", note, event.at_us, is_again ? 0 : kPush});
}

void LadderBook::add_cumulative(const std::string& who, const LadderEvent& event) {
  const bool is_ack = event.kind == Kind::kPushAck;
  const int place = is_ack ? kPushAck : kAckOk;
  for (auto& [id, ladder] : ladders_) {
    if (ladder.receiver_ != who || ladder.push_number_ == 0 || ladder.has(place) ||
        ladder.push_number_ > event.push_number || (!is_ack && !ladder.has(kPushAck))) {
      continue;
    }
    ladder.add({is_ack ? 'R' : 'A', is_ack, who, is_ack ? "PUSH_ACK" : "ok",
                is_ack ? fmt::format("n {}", event.push_number) : std::string(), event.at_us,
                place});
  }
}

void LadderBook::add_receipt(const std::string& who, const LadderEvent& event) {
  const auto known = names_.find(event.by.value());
  const std::string by =
      known != names_.end() ? known->second : fmt::format("{}", event.by.value());
  for (auto& [id, ladder] : ladders_) {
    if (ladder.sender_ != who || ladder.seq_.value() == 0 || ladder.seq_ > event.seq ||
        ladder.conversation_ != event.conversation) {
      continue;
    }
    if (!ladder.has(kReceipt)) {
      ladder.add({'N', false, who, "RECEIPT", (event.read ? "read " : "delivered ") + by,
                  event.at_us, kReceipt});
    }
  }
}

std::string short_id(const ClientMsgId& id) {
  return id.to_hex().substr(0, 4) + "…";
}

std::string rung_text(const Rung& rung, int name_width) {
  return fmt::format("{} {} {} {}", rung.kind, fit(rung.who, name_width),
                     fit(rung.packet, kPacketWidth), note_and_time(rung));
}

std::string rung_on_screen(const Rung& rung, int name_width) {
  const std::string arrow =
      rung.is_outgoing ? std::string(1, rung.kind) + "▶" : "◀" + std::string(1, rung.kind);
  return fmt::format("{} {} {} {}", fit(rung.who, name_width), arrow,
                     fit(rung.packet, kPacketWidth), note_and_time(rung));
}

}  // namespace hy::cli
