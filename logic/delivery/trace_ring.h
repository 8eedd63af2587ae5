#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// What a message can have passed here, in the order of the six packets.
enum class Rung : std::uint8_t {
  kReceived,
  kRulesDone,
  kAppendSent,
  kStored,
  kAcked,
  kPushSent,
  kPushResult,
  kRelayed,
  kConfirmed,
  kReceiptSent,
};
inline constexpr std::size_t kRungs = 10;
const char* rung_name(Rung rung);

/// The last messages that passed this logic, with the time of each rung. A ring: the newest
/// overwrite the oldest; looking up costs one probe, so a hash collision may hide an old message.
class TraceRing {
 public:
  struct Row {
    ClientMsgId client_msg_id;
    ConversationId conversation;
    Seq seq;  ///< 0 until stored
    std::array<MonoTime, kRungs> at{};
    TraceId trace{};
    bool repeat = false;
    bool dyed = false;
    Errc refused = Errc::kOk;
    std::uint32_t lane_wait_us = 0;
    std::uint32_t commit_us = 0;
    std::uint32_t batch = 0;
  };
  /// Names a row until it is overwritten.
  struct Ref {
    std::uint64_t number = 0;  ///< 0: none
  };

  /// rows_max is rounded up to a power of two.
  explicit TraceRing(std::size_t rows_max);

  Ref begin(const ClientMsgId& id, ConversationId conversation, TraceId trace, bool dyed,
            MonoTime at);
  /// nullptr: overwritten meanwhile.
  [[nodiscard]] Row* row(Ref ref);
  void mark(Ref ref, Rung rung, MonoTime at);
  void stored(Ref ref, Seq seq, MonoTime at);
  void stored(Ref ref, const Appended& stored, MonoTime at);
  /// A rung that is known by position only. Nothing when the message is not held.
  void mark(ConversationId conversation, Seq seq, Rung rung, MonoTime at);

  [[nodiscard]] std::optional<Row> find(const ClientMsgId& id) const;
  [[nodiscard]] std::optional<Row> find(ConversationId conversation, Seq seq) const;

 private:
  [[nodiscard]] std::size_t slot(std::uint64_t number) const { return number & mask_; }
  [[nodiscard]] std::size_t place(ConversationId conversation, Seq seq) const;

  std::size_t mask_;
  std::uint64_t last_ = 0;
  std::vector<Row> rows_;
  std::vector<std::uint64_t> numbers_;      ///< which message a row holds
  std::vector<std::uint64_t> by_position_;  ///< (conversation, seq) -> number
};

}  // namespace hy::logic
