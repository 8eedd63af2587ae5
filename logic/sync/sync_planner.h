#pragma once

#include <cstddef>
#include <cstdint>

#include "logic/ports/message_log_port.h"

/// What a slice, a page and a preview may hold: rules without I/O for SYNC, PULL, HISTORY, RECENTS.
namespace hy::logic {

/// A preview in a list of conversations.
inline constexpr std::size_t kPreviewBytesMax = 256;
/// Conversations a page.
inline constexpr std::uint32_t kPageRowsMax = 200;

/// kRangeInvalid: from 0, or from above to.
Status check_range(std::uint64_t from, std::uint64_t to);
/// kCursorAhead: `from` names a message that cannot come next, because the conversation ends before
/// it (its store was restored). from = head + 1 is up to date.
Status check_cursor(std::uint64_t from, Seq head);
/// Cuts a body for a list; text is cut at a character.
void cut_preview(StoredMessage& message);
/// Leaves at most kSliceMessagesMax messages and kSliceBytesMax bytes: the oldest of a range
/// (`more` is set), the newest of a tail.
void cut_slice(Slice& slice, bool is_tail);
/// The same for a page of conversations.
void cut_page(Conversations& page);

}  // namespace hy::logic
