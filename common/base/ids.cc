#include "common/base/ids.h"

namespace hy {
namespace {
constexpr std::array<std::string_view, kSlotMax + 1> kSlotNames = {"none",    "phone", "pad",
                                                                   "desktop", "web",   "other"};
}

std::string_view slot_name(Slot slot) {
  return kSlotNames.at(static_cast<std::size_t>(slot));
}

Slot slot_from_name(std::string_view name) {
  for (std::size_t i = 1; i < kSlotNames.size(); ++i) {
    if (kSlotNames[i] == name) return static_cast<Slot>(i);
  }
  return Slot::kNone;
}

}  // namespace hy
