#include "client/judge/history.h"

#include <array>

namespace hy::judge {

std::string_view event_name(Ev ev) {
  static constexpr std::array<std::string_view, kEvents> kNames{
      "send.invoke",  "send.ok",     "send.fail",  "send.info",   "state",   "recv",
      "persist",      "cursor",      "gap",        "reset",       "show",    "move",
      "ack",          "sync.invoke", "sync.ok",    "pull.invoke", "pull.ok", "uevent",
      "login.invoke", "login.ok",    "login.fail", "close",       "restart", "newstore",
      "receipt",      "read.invoke", "read.ask",   "read.ok",     "unread",  "presence",
      "mode",         "end"};
  return kNames[static_cast<std::size_t>(ev)];
}

std::string device_text(const DeviceKey& device) {
  return std::to_string(device.uid.value()) + "." + std::string(slot_name(device.slot)) + "." +
         std::to_string(device.device);
}

}  // namespace hy::judge
