#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace hy {

namespace flat_detail {
/// Numbers and strings use Abseil's hash (strings: lookup by string_view); our ids and structs use
/// std::hash, whose specialisations end in mix64.
template <class K>
inline constexpr bool kUseAbsl = std::integral<K> || std::same_as<K, std::string>;
template <class K>
using Hash =
    std::conditional_t<kUseAbsl<K>, absl::container_internal::hash_default_hash<K>, std::hash<K>>;
template <class K>
using Equal =
    std::conditional_t<kUseAbsl<K>, absl::container_internal::hash_default_eq<K>, std::equal_to<K>>;
}  // namespace flat_detail

/// Open-addressing tables (42 B an entry for a 24 B value). References die with the next insertion.
/// The iteration order is random per run: cores never iterate one where the order could show. One
/// rehash of 10 M rows takes 0.4 s: shard what grows large, or reserve.
template <class K, class V, class H = flat_detail::Hash<K>, class E = flat_detail::Equal<K>>
using FlatMap = absl::flat_hash_map<K, V, H, E>;
template <class K, class H = flat_detail::Hash<K>, class E = flat_detail::Equal<K>>
using FlatSet = absl::flat_hash_set<K, H, E>;

}  // namespace hy
