#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::logic {

/// Kinds that the server knows; 16 and above are the application's, passed on unread.
inline constexpr std::uint32_t kKindText = 1;
inline constexpr std::uint32_t kKindBinary = 2;
inline constexpr std::uint32_t kKindGroupEvent = 3;  ///< written by the server alone
inline constexpr std::uint32_t kKindApplicationMin = 16;

/// What a message looks like before anyone is asked.
struct SendDraft {
  Uid sender;
  Uid receiver;
  Gid group;  ///< instead of a receiver
  std::uint32_t kind = 0;
  std::size_t body_bytes = 0;
  std::size_t id_bytes = 0;
  std::size_t after_bytes = 0;  ///< 0: no predecessor
};

/// The store's integers are signed: 64-bit ids above 2^63-1 name nobody, and so does 0.
bool is_storable_id(std::uint64_t id);

/// The rules that need no data: kMalformedBody (ids, kind), kBodyTooLarge, kUnknownUser (nobody, or
/// beyond 2^63-1), kNotMember (no group's number), kSelfSend. Bodies may hold any bytes, whatever
/// the kind.
Status check_draft(const SendDraft& draft);

}  // namespace hy::logic
