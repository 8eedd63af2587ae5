#include "logic/domain/conversation_id.h"

#include "logic/domain/message_rules.h"

namespace hy::logic {

Result<ConversationId> conversation_of(std::string_view bytes, Uid uid) {
  if (bytes.size() != 16) return fail(Errc::kMalformedBody, "a conversation id has 16 bytes");
  const auto id = ConversationId::from_bytes(bytes);
  if (id.is_group()) {
    if (!is_storable_id(id.lo)) return fail(Errc::kNotMember);
    return id;
  }
  const bool is_ordered = id.hi < id.lo;
  if (!is_ordered || !id.has(uid)) return fail(Errc::kNotMember);
  return id;
}

}  // namespace hy::logic
