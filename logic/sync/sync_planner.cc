#include "logic/sync/sync_planner.h"

#include <algorithm>

#include "common/base/limits.h"
#include "logic/domain/message_rules.h"

namespace hy::logic {
namespace {

/// Upper bound of what the fields of one message take beside its body: two 16-byte ids with tags
/// and lengths, five varints of at most 10 bytes, tags of the message itself.
constexpr std::size_t kMessageOverheadBytes = 100;
constexpr std::size_t kRowOverheadBytes = 100;
constexpr std::size_t kEventBytes = 64;

std::size_t weight(const StoredMessage& message) {
  return message.body.size() + kMessageOverheadBytes;
}

/// The last bytes of a cut UTF-8 text may be half a character: at most three of them go.
std::size_t character_boundary(std::string_view text, std::size_t size) {
  const std::size_t lowest = size < 3 ? 0 : size - 3;
  for (std::size_t cut = size; cut > lowest; --cut) {
    if ((static_cast<unsigned char>(text[cut]) & 0xC0) != 0x80) return cut;
  }
  return size;
}

}  // namespace

Status check_range(std::uint64_t from, std::uint64_t to) {
  if (from == 0 || (to != 0 && from > to)) return fail(Errc::kRangeInvalid);
  return {};
}

Status check_cursor(std::uint64_t from, Seq head) {
  // from - 1, not head + 1: the head may be any number that a store holds.
  if (from > 0 && from - 1 > head.value()) return fail(Errc::kCursorAhead);
  return {};
}

void cut_preview(StoredMessage& message) {
  if (message.body.size() <= kPreviewBytesMax) return;
  const std::size_t size = message.kind == kKindText
                               ? character_boundary(message.body, kPreviewBytesMax)
                               : kPreviewBytesMax;
  message.body.resize(size);
}

void cut_slice(Slice& slice, bool is_tail) {
  std::size_t bytes = 0;
  std::size_t count = 0;
  const std::size_t available = slice.messages.size();
  const auto at = [&slice, is_tail, available](std::size_t i) -> const StoredMessage& {
    return slice.messages[is_tail ? available - 1 - i : i];
  };
  while (count < available && count < limits::kSliceMessagesMax) {
    const std::size_t next = weight(at(count));
    if (count > 0 && bytes + next > limits::kSliceBytesMax) break;
    bytes += next;
    ++count;
  }
  if (count == available) return;
  const auto cut = static_cast<std::ptrdiff_t>(is_tail ? available - count : count);
  if (is_tail) {
    slice.messages.erase(slice.messages.begin(), slice.messages.begin() + cut);
  } else {
    slice.messages.erase(slice.messages.begin() + cut, slice.messages.end());
    slice.more = true;
  }
}

void cut_page(Conversations& page) {
  std::size_t bytes = page.events.size() * kEventBytes;
  std::size_t count = 0;
  for (ConversationRow& row : page.rows) {
    if (row.last) cut_preview(*row.last);
    bytes += kRowOverheadBytes + (row.last ? weight(*row.last) : 0);
    if (count >= kPageRowsMax || (count > 0 && bytes > limits::kSliceBytesMax)) break;
    ++count;
  }
  if (count == page.rows.size()) return;
  page.rows.erase(page.rows.begin() + static_cast<std::ptrdiff_t>(count), page.rows.end());
  page.more = true;
}

}  // namespace hy::logic
