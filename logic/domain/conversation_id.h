#pragma once

#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::logic {

/// A conversation as a client names it, for the caller `uid`: kMalformedBody (not 16 bytes),
/// kNotMember (a pair without the caller, or no number of a group). Who is in a group, and from
/// which message on, is judged by the store with the read itself.
Result<ConversationId> conversation_of(std::string_view bytes, Uid uid);

}  // namespace hy::logic
