#pragma once

#include <memory>

#include "logic/delivery/relay.h"
#include "logic/delivery/store_return.h"
#include "logic/delivery/trace_ring.h"
#include "logic/ports/message_log_port.h"
#include "logic/session/session_fifo.h"

namespace hy::logic {

/// One message, its own rules already checked.
struct SendOrder {
  ConversationId conversation{};
  Uid sender{};
  Slot sender_slot = Slot::kNone;
  Uid receiver{};
  Gid group{};  ///< instead of a receiver: for GroupSend
  ClientMsgId client_msg_id{};
  std::optional<ClientMsgId> after{};
  std::uint32_t kind = 0;
  Bytes body{};
  PayloadHash payload_hash{};
  CallContext call;
  bool dyed = false;
};

struct SendOutcome {
  ConversationId conversation{};
  bool relayed = false;  ///< else stored
  Seq seq{};
  std::int64_t server_ms = 0;
  bool repeat = false;
  Millis recheck_after{0};  ///< relayed only
};

/// A message on its way.
struct SendOp {
  SendOrder order;
  AppendRequest append;  ///< holds the body
  SessionFifo::Turn turn;
  Done<SendOutcome> done;
  TraceRing::Ref trace;
  MonoTime began{};
  int judgements = 0;
};

/// What pairs and groups do alike with a message: append it, and say truly what became of it. Who
/// may write, and who is pushed to, is for SendPipeline and GroupSend. Thread: loop.
class SendSteps {
 public:
  struct Ports {
    MessageLogPort& log;
    Relay& relay;
    StoreReturn& store_return;
    TraceRing& trace;
    const Clock& clock;
    Metrics& metrics;
  };
  explicit SendSteps(const Ports& ports) : p_(ports) {}
  /// Members changed twice while one message was on its way: the device tries again later.
  static constexpr int kJudgementsMax = 2;

  using OpPtr = std::shared_ptr<SendOp>;

  void begin(SendOp& op, SendOrder order, SessionFifo::Turn turn, Done<SendOutcome> done);
  /// Under the version by which the sender was judged. Releases the turn once it is issued.
  void append(const OpPtr& op, std::uint64_t member_version, Done<Appended> done);
  /// STORED, and the message that is to be pushed after it, with its body.
  StoredMessage say_stored(SendOp& op, const Appended& stored);
  /// When the outcome is unknown nothing is said, else the refusal.
  void say_failed(SendOp& op, Error error);
  void say_unknown(SendOp& op);
  /// Nothing was appended by this try, and whoever is told `error` may try again.
  void refuse(SendOp& op, Error error);
  /// The store cannot be asked: not by this try, and when to try again.
  void refuse_store_away(SendOp& op, const Error& why);
  /// The sender may not write, which is final for the device. But he may have been allowed when an
  /// earlier try was stored whose answer was lost; "refused" would then be untrue. The log knows.
  void refuse_unless_stored(const OpPtr& op, Errc verdict);
  /// Without its body.
  [[nodiscard]] static StoredMessage message_of(const SendOp& op, Seq seq, std::int64_t server_ms);

 private:
  void say(SendOp& op, const Appended& stored, MonoTime now);
  /// What an earlier try stored, if it is the same payload.
  void say_first(const OpPtr& op, const StoredMessage& first);
  /// The log could not be asked what it holds.
  void refuse_unread(SendOp& op, const Error& why);

  Ports p_;
};

/// The store did not take it, for now.
[[nodiscard]] bool is_store_away(Errc code);

}  // namespace hy::logic
