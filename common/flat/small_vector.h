#pragma once

#include "absl/container/inlined_vector.h"

namespace hy {

/// A vector whose first n elements lie in the object itself: no memory is asked for as long as
/// there are no more. Moving one moves those elements.
template <class T, std::size_t n>
using SmallVector = absl::InlinedVector<T, n>;

}  // namespace hy
