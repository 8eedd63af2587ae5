#include "common/wire/refused.h"

#include <algorithm>
#include <limits>

#include "common/base/bytes.h"
#include "hy/client/v1/command.pb.h"

namespace hy::wire {

Bytes encode_refused(const Error& error, std::uint32_t conn_counter, std::uint64_t head_seq) {
  client::v1::Refused out;
  out.set_code(static_cast<std::uint32_t>(error.code));
  out.set_scope(static_cast<std::uint32_t>(error_info(error.code).scope));
  out.set_retry_after_ms(static_cast<std::uint32_t>(std::clamp<std::int64_t>(
      error.retry_after.count(), 0, std::numeric_limits<std::uint32_t>::max())));
  if (is_valid_utf8(error.detail)) out.set_detail(error.detail);
  out.set_conn_counter(conn_counter);
  out.set_head_seq(head_seq);
  return out.SerializeAsString();
}

Result<Refusal> decode_refused(ByteView body) {
  client::v1::Refused in;
  if (!in.ParseFromArray(body.data(), static_cast<int>(body.size())) || in.code() == 0 ||
      in.code() > std::numeric_limits<std::uint16_t>::max())
    return fail(Errc::kMalformedBody, "Refused");
  Refusal out{.error = {.code = static_cast<Errc>(in.code()),
                        .detail = in.detail(),
                        .retry_after = std::chrono::milliseconds(in.retry_after_ms())},
              .conn_counter = in.conn_counter(),
              .head_seq = in.head_seq()};
  const bool known = in.scope() >= 1 && in.scope() <= 4;
  out.scope = known ? static_cast<Scope>(in.scope()) : error_info(out.error.code).scope;
  return out;
}

}  // namespace hy::wire
