
#include <utility>

#include "common/base/test_hooks.h"
#include "common/obs/log.h"
#include "entry/net/shard.h"
#include "entry/session/small_bodies.h"

namespace hy::entry {
namespace {

constexpr std::size_t kSendBytes = 64 * 1'024;  // sealed ahead for one system call

}  // namespace

void Shard::mark_dirty(Connection& c) {
  if (c.dirty) return;
  c.dirty = true;
  dirty_.push_back(id_of(c));
}

void Shard::mark_patient(Connection& c, Patience patience) {
  if (c.dirty || c.patience >= patience) return;
  c.patience = patience;
  c.patient_since = static_cast<std::uint16_t>(now_ms());
  (patience == Patience::kReceipt ? receipts_ : oks_).add(id_of(c), now_ms());
  ask_soon();
}

/// Who is refused for load is to come again after half a second: nobody waits for the word, and on
/// a busy shard a send of its own for each would take the room of those who are served.
Patience Shard::patience_with_refusal(const Connection& c, Errc code) const {
  const bool may_wait = code == Errc::kOverloaded && c.fsm.is_open() && is_busy();
  return may_wait ? Patience::kReceipt : Patience::kNone;
}

void Shard::queue_frame(Connection& c, std::uint16_t type, std::uint16_t flags,
                        std::uint32_t request_id, Bytes body, bool may_compress,
                        Patience patience) {
  OutFrame frame;
  frame.type = type;
  frame.flags = flags;
  frame.request_id = request_id;
  frame.may_compress = may_compress;
  frame.body = std::move(body);
  activity(c).queue.add(std::move(frame));
  if (patience == Patience::kNone) {
    mark_dirty(c);
  } else {
    mark_patient(c, patience);
  }
}

/// False: a frame could not be sealed and the connection has to end.
bool Shard::seal_queue(Connection& c) {
  Activity& a = activity(c);
  while (!a.queue.empty() && send_buffer_.size() < kSendBytes) {
    const OutFrame frame = a.queue.take();
    const wire::Inner inner{.type = frame.type,
                            .flags = frame.flags,
                            .request_id = frame.request_id,
                            .body = as_bytes(frame.content())};
    const wire::SealOptions options{
        .padding = options_.padding ? wire::Padding::kOn : wire::Padding::kOff,
        .compression =
            frame.may_compress ? wire::Compression::kAllowed : wire::Compression::kForbidden};
    auto sealed = wire::seal_frame(c.transport, inner, options, send_buffer_);
    if (!sealed && sealed.error().code == Errc::kFrameTooLarge) {
      // An inner tier made an answer that no frame can carry: say so in its place.
      too_large_.warn(
          now_, "frame_seal_failed",
          {{"code", sealed.error().code}, {"type", frame.type}, {"bytes", frame.content().size()}});
      if ((frame.type & inner_type::kAnswerBit) == 0) continue;
      const Bytes body = refused_body(Errc::kBodyTooLarge);
      const wire::Inner refusal{.type = frame.type,
                                .flags = wire::kFlagRefused,
                                .request_id = frame.request_id,
                                .body = as_bytes(body)};
      sealed = wire::seal_frame(c.transport, refusal, options, send_buffer_);
    }
    if (!sealed) return false;
    metrics_.frame_out(frame.type);
    if (frame.push && frame.request_id != 0 && a.window) {
      sync_point("entry.after_push_sealed_before_write");
      a.window->on_sent(PushNumber{frame.request_id}, now_);
    }
  }
  return true;
}

void Shard::flush(Connection& c) {
  c.patience = Patience::kNone;
  if (c.blocked) return;
  Activity& a = activity(c);
  if (!a.unsent.empty()) {
    const Bytes clear = std::exchange(a.unsent, {});
    if (!send_bytes(c, clear)) return;
  }
  while (!a.queue.empty()) {
    send_buffer_.clear();
    if (!seal_queue(c)) {
      close(c, Errc::kConnectionTooOld);
      return;
    }
    if (!send_bytes(c, send_buffer_)) return;
  }
  // Answers and receipts of one turn fill a queue too, and nobody confirms them: this is then the
  // only moment that says that there is room again.
  if (a.queue.is_hinting()) recover_queue(c);
  if (a.window && !a.window->empty()) arm_next(c);
  if (c.closing) sockets_.end_sending(c.fd);
}

/// False: not everything went out; the rest waits in `unsent`, or the connection is gone.
bool Shard::send_bytes(Connection& c, std::span<const char> bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const Sockets::Moved moved = sockets_.send(c.fd, bytes.subspan(sent));
    metrics_.send_call();
    if (moved.outcome == Sockets::Outcome::kDone) {
      sent += moved.bytes;
      metrics_.bytes_out(moved.bytes);
      continue;
    }
    if (moved.outcome == Sockets::Outcome::kEnded) {
      close(c, Errc::kOk);
      return false;
    }
    Activity& a = activity(c);
    a.unsent.assign(bytes.data() + sent, bytes.size() - sent);
    a.unsent_at = 0;
    c.blocked = true;
    if (!c.closing) c.since_ms = now_ms();
    metrics_.slow_reader_began();
    set_interest(c, c.reading, true);
    arm_next(c);
    return false;
  }
  return true;
}

void Shard::on_writable(Connection& c) {
  if (!c.blocked) return;
  Activity& a = activity(c);
  while (a.unsent_at < a.unsent.size()) {
    const Sockets::Moved moved =
        sockets_.send(c.fd, std::span<const char>(a.unsent).subspan(a.unsent_at));
    metrics_.send_call();
    if (moved.outcome == Sockets::Outcome::kWouldBlock) return;
    if (moved.outcome == Sockets::Outcome::kEnded) {
      close(c, Errc::kOk);
      return;
    }
    a.unsent_at += moved.bytes;
    metrics_.bytes_out(moved.bytes);
  }
  Bytes().swap(a.unsent);
  a.unsent_at = 0;
  c.blocked = false;
  metrics_.slow_reader_ended();
  set_interest(c, c.reading, false);
  recover_queue(c);
  mark_dirty(c);
}

void Shard::recover_queue(Connection& c) {
  Activity& a = activity(c);
  const std::uint32_t hints = a.queue.hints();
  const bool window_has_room = !a.window || a.window->is_half_empty(options_.window);
  if (a.queue.recover(window_has_room, options_.queue)) {
    metrics_.sync_hint(a.queue.hints() - hints);
    mark_dirty(c);
  }
}

}  // namespace hy::entry
