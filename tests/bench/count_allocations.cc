#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>

// A library that is loaded before the others (LD_PRELOAD) into a program that uses tcmalloc, and
// counts its allocations in a file that `hy bench --count-calls` finds among the program's
// mappings: /dev/shm/hy-allocations.PID, removed again at the program's end. The count is kept by
// tcmalloc's own hook: a few nanoseconds each, where a probe of the kernel's costs microseconds and
// changes what is counted. In a program without tcmalloc it does nothing.

extern "C" {
using NewHook = void (*)(const void* block, std::size_t size);
// Of tcmalloc's <gperftools/malloc_hook_c.h>; absent elsewhere.
[[gnu::weak]] int MallocHook_AddNewHook(NewHook hook);
}

namespace {

constexpr std::size_t kSlots = 64;
struct alignas(64) Slot {
  std::atomic<std::uint64_t> count;
};
Slot* slots = nullptr;
char path[64];
std::atomic<std::size_t> threads{0};

void count(const void*, std::size_t) {
  // Not one counter for all: its cache line would travel with every allocation.
  [[gnu::tls_model("initial-exec")]] static thread_local Slot* own = nullptr;
  if (own == nullptr) own = &slots[threads.fetch_add(1, std::memory_order_relaxed) % kSlots];
  own->count.fetch_add(1, std::memory_order_relaxed);
}

[[gnu::constructor]] void begin() {
  if (MallocHook_AddNewHook == nullptr) return;
  std::snprintf(path, sizeof path, "/dev/shm/hy-allocations.%d", static_cast<int>(::getpid()));
  const int file = ::open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || ::ftruncate(file, sizeof(Slot) * kSlots) != 0) return;
  void* const page =
      ::mmap(nullptr, sizeof(Slot) * kSlots, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (page == MAP_FAILED) return;
  slots = static_cast<Slot*>(page);
  MallocHook_AddNewHook(count);
}

[[gnu::destructor]] void end() {
  if (slots != nullptr) ::unlink(path);
}

}  // namespace
