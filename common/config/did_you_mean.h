#pragma once

#include <span>
#include <string>
#include <string_view>

namespace hy::config {

/// The nearest of `known` by edit distance (insert, delete, replace, swap of neighbours, each 1),
/// or empty when even the nearest is further than a third of the word's length (at least 1, at most
/// 3). Ties: the first in `known`.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace hy::config
