#pragma once

#include <cstddef>
#include <new>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HY_RECYCLER_KEEPS 0
#endif
#endif
#ifndef HY_RECYCLER_KEEPS
#define HY_RECYCLER_KEEPS 1
#endif

namespace hy {

/// Memory for objects of one size that come and go by the thousand on one thread: what is freed is
/// kept for the next, at most kKeptMax pieces a thread and size. For operator new of a class, or
/// through RecyclingAllocator for std::allocate_shared. Keeps nothing under AddressSanitizer, which
/// then sees every use after the end.
template <std::size_t kBytes>
class Recycler {
 public:
  static constexpr std::size_t kKeptMax = 4'096;

  [[nodiscard]] static void* take() {
    std::vector<void*>& kept = list().kept;
    if (kept.empty()) return ::operator new(kBytes);
    void* piece = kept.back();
    kept.pop_back();
    return piece;
  }
  static void give(void* piece) noexcept {
    List& mine = list();
    if (HY_RECYCLER_KEEPS == 0 || mine.is_over || mine.kept.size() == kKeptMax) {
      ::operator delete(piece);
      return;
    }
    mine.kept.push_back(piece);  // reserved below: cannot fail
  }

 private:
  struct List {
    List() { kept.reserve(kKeptMax); }
    ~List() {
      for (void* piece : kept) ::operator delete(piece);
      kept.clear();
      is_over = true;  // statics that die later free directly
    }
    std::vector<void*> kept;
    bool is_over = false;
  };
  static List& list() {
    thread_local List mine;
    return mine;
  }
};

/// The same as an allocator, for one object at a time.
template <class T>
class RecyclingAllocator {
 public:
  using value_type = T;
  RecyclingAllocator() = default;
  template <class U>
  // NOLINTNEXTLINE(google-explicit-constructor): what allocators do
  RecyclingAllocator(const RecyclingAllocator<U>&) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
    if (n != 1) return static_cast<T*>(::operator new(n * sizeof(T)));
    return static_cast<T*>(Recycler<sizeof(T)>::take());
  }
  void deallocate(T* piece, std::size_t n) noexcept {
    if (n != 1) return ::operator delete(piece);
    Recycler<sizeof(T)>::give(piece);
  }
  friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator&) = default;
};

}  // namespace hy
