#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/result.h"
#include "hy/client/v1/message.pb.h"
#include "logic/ports/types.h"

/// For the command files alone: generated client messages against domain structs.
namespace hy::logic {

void fill_push(const StoredMessage& message, hy::client::v1::Push& out);

/// True when one of the length-delimited top-level fields named is not UTF-8. A body that is broken
/// otherwise gives false: its own refusal says so.
bool has_bad_text(std::string_view body, std::span<const std::uint32_t> text_fields);

/// Parses a command's body: kInvalidText when one of its `string` fields is not UTF-8 (the
/// generated parser fails for that as for any other defect), else kMalformedBody.
template <class Message>
Status parse_body(std::string_view body, Message& out,
                  std::span<const std::uint32_t> text_fields = {}) {
  if (out.ParseFromArray(body.data(), static_cast<int>(body.size()))) return {};
  if (has_bad_text(body, text_fields)) return fail(Errc::kInvalidText);
  return fail(Errc::kMalformedBody);
}

}  // namespace hy::logic
