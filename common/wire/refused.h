#pragma once

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/result.h"

namespace hy::wire {

/// client.v1.Refused as a struct: the body of a refused acknowledgement and of KICKED.
struct Refusal {
  Error error;
  Scope scope = Scope::kConnection;
  std::uint32_t conn_counter = 0;  ///< with kStaleEpoch: the highest counter that the server knows
  std::uint64_t head_seq = 0;      ///< with kCursorAhead: the conversation's head
};

/// The body bytes. Scope comes from the error table; error.detail is sent as it is when it is valid
/// UTF-8 and dropped otherwise. retry_after is cut to 0 .. 2^32-1 ms.
[[nodiscard]] Bytes encode_refused(const Error& error, std::uint32_t conn_counter = 0,
                                   std::uint64_t head_seq = 0);

/// Error: kMalformedBody. A code that this build does not know is kept as a number (error_info
/// gives the row of its range); a scope out of range becomes the code's own.
[[nodiscard]] Result<Refusal> decode_refused(ByteView body);

}  // namespace hy::wire
