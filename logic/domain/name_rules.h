#pragma once

#include <string_view>

#include "common/base/result.h"

namespace hy::logic {

/// A user's name: 1 .. 64 bytes of UTF-8 without control characters and without characters that
/// turn or hide text (Unicode bidi controls, zero width, line and paragraph separators).
/// kInvalidText, kNameInvalid.
Status check_name(std::string_view name);
/// 8 .. 256 bytes, any. kPasswordUnfit.
Status check_password(std::string_view password);
/// 1 .. 64 bytes of UTF-8. kMalformedBody, kInvalidText.
Status check_device_id(std::string_view device_id);
/// For display on another device: at most `bytes_max` bytes, cut at a character, control and bidi
/// characters replaced by spaces.
std::string displayable(std::string_view text, std::size_t bytes_max);

}  // namespace hy::logic
