#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace hy {

/// A number with a meaning: explicit to make, explicit to take apart, comparable with its own kind
/// alone.
template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

 private:
  Rep value_{};
};

using Uid = StrongId<struct UidTag, std::uint64_t>;  ///< a user; 1 .. 2^63-1, 0 = none
using Gid = StrongId<struct GidTag, std::uint64_t>;  ///< a chat group; 1 .. 2^63-1
using Seq = StrongId<struct SeqTag, std::uint64_t>;  ///< position in a conversation, 1, 2, 3 …; 0 =
                                                     ///< before the first
using OpSeq =
    StrongId<struct OpSeqTag, std::uint64_t>;          ///< position in a conversation's operations
using Useq = StrongId<struct UseqTag, std::uint64_t>;  ///< position in a user's own event log
using PushNumber =
    StrongId<struct PushTag, std::uint32_t>;  ///< per connection, 1, 2, 3 …; what PUSH_ACK names
using EntryId =
    StrongId<struct EntryTag, std::uint16_t>;  ///< stable number of an entry in the topology
using Incarnation =
    StrongId<struct IncTag, std::uint64_t>;  ///< one life of an entry process (unix ms at start)
using ConnId =
    StrongId<struct ConnTag, std::uint64_t>;  ///< slot index (high 32) | generation (low 32)
using TraceId =
    StrongId<struct TraceTag, std::uint64_t>;  ///< one request through all hops; 0 = none

/// Device class of a session: one live session per (uid, slot). Values are on the wire.
enum class Slot : std::uint8_t {
  kNone = 0,
  kPhone = 1,
  kPad = 2,
  kDesktop = 3,
  kWeb = 4,
  kOther = 5
};
inline constexpr std::uint8_t kSlotMax = 5;
[[nodiscard]] constexpr bool is_valid_slot(std::uint64_t v) {
  return v >= 1 && v <= kSlotMax;
}
std::string_view slot_name(Slot slot);
/// Slot::kNone: no such name.
Slot slot_from_name(std::string_view name);

/// Fencing order of the sessions of one (uid, slot): auth_epoch from the database, conn_counter
/// from the device.
struct Epoch {
  std::uint32_t auth = 0;
  std::uint32_t conn = 0;
  friend constexpr auto operator<=>(const Epoch&, const Epoch&) = default;
};

/// A conversation: 128 bits. Pair = (smaller uid, larger uid); group = (0, gid).
struct ConversationId {
  std::uint64_t hi = 0;
  std::uint64_t lo = 0;
  friend constexpr auto operator<=>(const ConversationId&, const ConversationId&) = default;

  static constexpr ConversationId pair(Uid a, Uid b) {
    return a < b ? ConversationId{a.value(), b.value()} : ConversationId{b.value(), a.value()};
  }
  static constexpr ConversationId group(Gid gid) { return {0, gid.value()}; }
  [[nodiscard]] constexpr bool is_group() const { return hi == 0; }
  [[nodiscard]] constexpr bool has(Uid uid) const { return hi == uid.value() || lo == uid.value(); }
  /// The other person of a pair. Precondition: a pair that has `uid`.
  [[nodiscard]] constexpr Uid peer_of(Uid uid) const { return Uid{hi == uid.value() ? lo : hi}; }
  /// 16 bytes, big-endian hi | lo: the form on every wire and in every table.
  [[nodiscard]] Bytes to_bytes() const {
    Bytes out(16, '\0');
    put_be(reinterpret_cast<std::uint8_t*>(out.data()), hi);
    put_be(reinterpret_cast<std::uint8_t*>(out.data()) + 8, lo);
    return out;
  }
  /// Precondition: bytes.size() == 16.
  static ConversationId from_bytes(std::string_view bytes) {
    HY_CHECK(bytes.size() == 16);
    const auto* p = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return {get_be<std::uint64_t>(p), get_be<std::uint64_t>(p + 8)};
  }
};

/// 16 bytes made by the sender's device; with (conversation, sender) the idempotency key of a
/// message.
struct ClientMsgId {
  std::array<std::uint8_t, 16> bytes{};
  friend constexpr auto operator<=>(const ClientMsgId&, const ClientMsgId&) = default;
  [[nodiscard]] Bytes to_bytes() const { return Bytes(as_text(bytes)); }
  [[nodiscard]] std::string to_hex() const { return hy::to_hex(bytes); }
  /// Precondition: 16 bytes.
  static ClientMsgId from_bytes(std::string_view in) {
    HY_CHECK(in.size() == 16);
    ClientMsgId id;
    std::memcpy(id.bytes.data(), in.data(), 16);
    return id;
  }
};

/// First 16 bytes of SHA-256 over (kind, body) as the app gave them: tells a repeat from a
/// conflict.
using PayloadHash = std::array<std::uint8_t, 16>;

/// Spreads 64 bits evenly (splitmix64 finaliser, Steele et al. 2014); not keyed, so never for
/// peers' choices.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace hy

template <class Tag, class Rep>
struct std::hash<hy::StrongId<Tag, Rep>> {
  std::size_t operator()(hy::StrongId<Tag, Rep> id) const noexcept { return hy::mix64(id.value()); }
};
template <>
struct std::hash<hy::ConversationId> {
  std::size_t operator()(const hy::ConversationId& c) const noexcept {
    return hy::mix64(c.hi ^ hy::mix64(c.lo));
  }
};
template <>
struct std::hash<hy::ClientMsgId> {
  std::size_t operator()(const hy::ClientMsgId& id) const noexcept {
    std::uint64_t a;
    std::uint64_t b;
    std::memcpy(&a, id.bytes.data(), 8);
    std::memcpy(&b, id.bytes.data() + 8, 8);
    return hy::mix64(a ^ hy::mix64(b));
  }
};
