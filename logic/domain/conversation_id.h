#pragma once

#include <string_view>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::logic {

/// A conversation as a client names it, for the caller `uid`: kMalformedBody (not 16 bytes),
/// kNotMember (a pair without the caller, or a group, of which there are none yet).
Result<ConversationId> conversation_of(std::string_view bytes, Uid uid);

}  // namespace hy::logic
