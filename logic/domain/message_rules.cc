#include "logic/domain/message_rules.h"

#include <limits>

#include "common/base/limits.h"

namespace hy::logic {
namespace {

bool is_known_kind(std::uint32_t kind) {
  return kind == kKindText || kind == kKindBinary || kind >= kKindApplicationMin;
}

}  // namespace

bool is_storable_id(std::uint64_t id) {
  constexpr auto kIdMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return id > 0 && id <= kIdMax;
}

Status check_draft(const SendDraft& draft) {
  if (draft.id_bytes != sizeof(ClientMsgId::bytes)) {
    return fail(Errc::kMalformedBody, "client_msg_id has 16 bytes");
  }
  if (draft.after_bytes != 0 && draft.after_bytes != sizeof(ClientMsgId::bytes)) {
    return fail(Errc::kMalformedBody, "after_client_msg_id has 16 bytes or none");
  }
  if (!is_known_kind(draft.kind)) return fail(Errc::kMalformedBody, "kind is 1, 2 or 16 and above");
  if (draft.body_bytes > limits::kMessageBodyBytesMax) return fail(Errc::kBodyTooLarge);
  if (draft.group != Gid{}) {
    if (draft.receiver != Uid{}) return fail(Errc::kMalformedBody, "to_uid or to_gid, not both");
    if (!is_storable_id(draft.group.value())) return fail(Errc::kNotMember);
    return {};
  }
  if (!is_storable_id(draft.receiver.value())) return fail(Errc::kUnknownUser);
  if (draft.receiver == draft.sender) return fail(Errc::kSelfSend);
  return {};
}

}  // namespace hy::logic
