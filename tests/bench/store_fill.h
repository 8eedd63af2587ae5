#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::bench {

/// Conversations and their members' rows in one transaction, for people who exist. The engine must
/// be idle meanwhile.
Status make_pairs_embedded(const std::filesystem::path& file,
                           std::span<const ConversationId> pairs);

/// Puts `per_conversation` messages into each (empty) conversation of an embedded store, in the
/// order of arrival and with heads that agree, past the engine: no sync, indexes made at the end.
/// Ten million rows in about a minute; what is measured afterwards goes through the engine. The
/// engine must be idle meanwhile.
Status fill_embedded(const std::filesystem::path& file, std::span<const ConversationId> pairs,
                     std::uint64_t per_conversation, std::size_t body_bytes, std::int64_t end_ms);

}  // namespace hy::bench
