#include "logic/domain/conversation_id.h"

namespace hy::logic {

Result<ConversationId> conversation_of(std::string_view bytes, Uid uid) {
  if (bytes.size() != 16) return fail(Errc::kMalformedBody, "a conversation id has 16 bytes");
  const auto id = ConversationId::from_bytes(bytes);
  const bool ordered_pair = !id.is_group() && id.hi < id.lo;
  if (!ordered_pair || !id.has(uid)) return fail(Errc::kNotMember);
  return id;
}

}  // namespace hy::logic
