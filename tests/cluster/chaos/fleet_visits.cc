// Who comes and goes beside the people who talk all the time: second installations, newcomers.
#include <algorithm>
#include <thread>

#include "common/base/random.h"
#include "tests/cluster/chaos/fleet.h"

namespace hy::chaos {
namespace {

constexpr auto kVisitWithin = std::chrono::seconds(4);
constexpr auto kSignedOutWithin = std::chrono::seconds(3);
constexpr auto kLook = std::chrono::milliseconds(20);

}  // namespace

std::string Fleet::entry_of(std::size_t index) const {
  const Device& device = *devices_[index % residents_];
  const bool is_there = device.client != nullptr && !device.is_dying;
  return is_there ? device.client->entry() : std::string();
}

void Fleet::sign_in_elsewhere(std::size_t index) {
  Device& device = *devices_[index % residents_];
  if (device.client == nullptr || device.is_dying) return;
  device.is_visited = true;
  const auto tape = std::make_shared<DeviceTape>(
      judge::DeviceKey{device.uid, device.options.slot, 2 + visits_}, deeds_);
  ClientOptions options = device.options;
  options.store = (folder_ / ("visit" + std::to_string(visits_) + ".db")).string();
  options.observer = tape;
  options.device_name = "visit";
  ++visits_;
  {
    hy::Client visitor(std::move(options));
    const bool is_in = visitor.login(device.who, kVisitWithin).has_value();
    const auto until = Clock::now() + kSignedOutWithin;
    while (is_in && device.client->state() != LinkState::kStopped && Clock::now() < until)
      std::this_thread::sleep_for(kLook);
  }
  tape->start_again();  // its connection ended with it
  journal_.keep(tape->finish(false));
  (void)bring_back();
}

std::size_t Fleet::bring_back() {
  std::size_t out = 0;
  for (std::size_t i = 0; i < residents_; ++i) {
    const Device& device = *devices_[i];
    const bool may = device.is_visited && !device.is_dying && device.client != nullptr;
    if (may && device.client->state() == LinkState::kStopped && !restart(i)) ++out;
  }
  return out;
}

void Fleet::set_deaf(std::size_t index, bool deaf) {
  Device& device = *devices_[index % residents_];
  const std::lock_guard lock(device.client_mutex);
  if (device.client != nullptr && !device.is_dying) device.client->unplug(deaf);
}

Status Fleet::welcome() {
  if (next_newcomer_ + 2 > devices_.size()) return fail(Errc::kUnavailable, "all have come");
  Device& a = *devices_[next_newcomer_];
  Device& b = *devices_[next_newcomer_ + 1];
  SeededRandom random(next_newcomer_);
  next_newcomer_ += 2;
  for (Device* const device : {&a, &b}) {
    const std::lock_guard lock(device->client_mutex);
    make_client(*device);
    // The one who comes to a place that is struck waits longer, by itself.
    (void)open(*device, kVisitWithin);
  }
  const std::size_t first = random.below(people_);
  for (Device* const device : {&a, &b}) {
    write_one(*device, device == &a ? b : a, random);
    for (std::size_t i = 0; i < 2; ++i)
      write_one(*device, *devices_[(first + i) % people_], random);
  }
  return {};
}

}  // namespace hy::chaos
