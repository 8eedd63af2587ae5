#pragma once

#include <cstdint>
#include <span>

#include "logic/ports/types.h"

/// Bodies of the notifications that logic makes, in the client protocol's form (message.proto). No
/// generated type crosses this header.
namespace hy::logic {

/// Values of hy.client.v1.Command that logic pushes.
inline constexpr std::uint16_t kTypePush = 0x4001;
inline constexpr std::uint16_t kTypeReceipt = 0x4002;
inline constexpr std::uint16_t kTypeReadMark = 0x4006;
inline constexpr std::uint16_t kTypeStoreBack = 0x4007;
/// An acknowledgement has its request's number with this bit.
inline constexpr std::uint16_t kAckBit = 0x8000;
/// Inner flag: the body is client.v1.Refused.
inline constexpr std::uint16_t kFlagRefused = 0x0004;

/// provisional: seq and server_ms are left out.
Bytes encode_push(const StoredMessage& message, bool provisional);

enum class ReceiptKind : std::uint8_t { kDelivered = 1, kRead = 2 };
struct ReceiptItem {
  ConversationId conversation;
  Seq up_to;
  Uid by;
  Slot by_slot = Slot::kNone;
  ReceiptKind kind = ReceiptKind::kDelivered;
};
Bytes encode_receipts(std::span<const ReceiptItem> items);

Bytes encode_read_mark(ConversationId conversation, Seq read, Useq useq);

/// Body of a refusal and of KICKED. `conn_counter`, `head_seq`: 0 unless the code has them.
struct RefusalBody {
  Errc code = Errc::kInternal;
  Millis retry_after{0};
  std::string detail{};
  std::uint32_t conn_counter = 0;
  std::uint64_t head_seq = 0;
};
Bytes encode_refused(const RefusalBody& refusal);

}  // namespace hy::logic
