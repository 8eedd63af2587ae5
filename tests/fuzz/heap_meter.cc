#include "tests/fuzz/heap_meter.h"

#include <algorithm>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HY_HAS_ALLOCATOR_HOOKS 1
#include <sanitizer/allocator_interface.h>
#endif
#endif

namespace hy::fuzz {
namespace {

thread_local bool counts = false;
thread_local std::ptrdiff_t held = 0;
thread_local std::ptrdiff_t most = 0;

#ifdef HY_HAS_ALLOCATOR_HOOKS
void on_malloc(const volatile void* /*at*/, std::size_t size) {
  if (!counts) return;
  held += static_cast<std::ptrdiff_t>(size);
  most = std::max(most, held);
}
void on_free(const volatile void* at) {
  if (!counts || at == nullptr) return;
  held -= static_cast<std::ptrdiff_t>(
      __sanitizer_get_allocated_size(const_cast<const void*>(at)));  // NOLINT: as the hook gives it
}
const bool installed = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
#endif

}  // namespace

HeapMeter::HeapMeter() {
  held = 0;
  most = 0;
  counts = true;
}
HeapMeter::~HeapMeter() {
  counts = false;
}
std::size_t HeapMeter::peak() const {
  return static_cast<std::size_t>(most);
}

}  // namespace hy::fuzz
