#include "common/hooks/start.h"

#if defined(HY_TEST_HOOKS)

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/base/ids.h"
#include "common/base/test_hooks.h"
#include "common/hooks/control_file.h"

namespace hy::hooks {
namespace {

constexpr int kUsageExit = 2;

/// Name → slot, open addressing: a place on the path of every message is found in a few
/// nanoseconds.
class Index {
 public:
  explicit Index(ControlFile file) : file_(std::move(file)) {
    for (const SyncPoint& point : kSyncPoints) {
      std::size_t at = place_of(point.name);
      while (!places_[at].name.empty()) at = (at + 1) % kPlaces;
      places_[at] = {point.name, file_.slot(point.name)};
    }
  }
  [[nodiscard]] PointSlot* find(std::string_view name) const {
    for (std::size_t at = place_of(name); !places_[at].name.empty(); at = (at + 1) % kPlaces) {
      if (places_[at].name == name) return places_[at].slot;
    }
    return nullptr;
  }

 private:
  static constexpr std::size_t kPlaces = 512;
  static_assert(kSyncPoints.size() * 2 < kPlaces);
  struct Place {
    std::string_view name;
    PointSlot* slot = nullptr;
  };
  static std::size_t place_of(std::string_view name) {
    return std::hash<std::string_view>{}(name) % kPlaces;
  }
  ControlFile file_;
  std::array<Place, kPlaces> places_;
};

const Index* places = nullptr;

void wait_here(std::uint32_t ms) {
  timespec left{.tv_sec = ms / 1'000, .tv_nsec = static_cast<long>(ms % 1'000) * 1'000'000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

void at_sync_point(std::string_view name) {
  PointSlot* const slot = places->find(name);
  if (slot == nullptr) return;
  slot->hits.fetch_add(1, std::memory_order_relaxed);
  if (slot->deed.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(Deed::kNone)) return;
  if (slot->countdown.fetch_sub(1) != 1) return;
  const auto deed = static_cast<Deed>(slot->deed.exchange(static_cast<std::uint32_t>(Deed::kNone)));
  if (deed == Deed::kNone) return;
  slot->fired.fetch_add(1);
  switch (deed) {
    case Deed::kKill: ::kill(::getpid(), SIGKILL); break;
    case Deed::kStop: ::kill(::getpid(), SIGSTOP); break;
    case Deed::kDelay: wait_here(slot->delay_ms.load()); break;
    case Deed::kNone: break;
  }
}

/// The value, taken out of the environment: configuration refuses HY_ variables that it does not
/// know.
std::string take(const char* name) {
  const char* const value = ::getenv(name);
  std::string out = value == nullptr ? "" : value;
  ::unsetenv(name);
  return out;
}

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "test hooks: %s\n", why.c_str());
  std::exit(kUsageExit);
}

}  // namespace

void start_from_environment() {
  if (const std::string number = take("HY_MUTANT"); !number.empty()) {
    int k = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), k);
    if (read.ec != std::errc() || k < 0 || k >= kMutantsEnd)
      refuse("HY_MUTANT is 0 to " + std::to_string(kMutantsEnd - 1));
    set_mutant(static_cast<Mutant>(k));
  }
  const std::string path = take("HY_TEST_CONTROL");
  if (path.empty()) return;
  auto file = ControlFile::open(path);
  if (!file) refuse(file.error().detail);
  places = new Index(*std::move(file));  // lives as long as the process
  set_sync_point_handler(&at_sync_point);
}

}  // namespace hy::hooks

#endif
