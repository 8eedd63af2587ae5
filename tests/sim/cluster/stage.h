#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/cluster/cluster.h"

namespace hy::sim {

/// While it lives, told of each change of a device's link.
class LinkWatch {
 public:
  using Told = std::function<void(LinkState, const std::string& why)>;
  LinkWatch(DeviceHost& host, Told told) : host_(host), before_(host.on_link) {
    host_.on_link = [before = before_, told = std::move(told)](LinkState state,
                                                               const std::string& why) {
      if (before) before(state, why);
      told(state, why);
    };
  }
  ~LinkWatch() { host_.on_link = before_; }
  LinkWatch(const LinkWatch&) = delete;
  LinkWatch& operator=(const LinkWatch&) = delete;

 private:
  DeviceHost& host_;
  Told before_;
};

/// What scenes are made with: the healed world, good device links, and somebody who acts in it.
/// When it goes, links are as the seed drew them.
class Stage {
 public:
  explicit Stage(Cluster& cluster);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] World& world() { return cluster_.world(); }
  [[nodiscard]] Network& network() { return cluster_.network(); }
  [[nodiscard]] Cluster& cluster() { return cluster_; }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return world().below(bound); }
  /// low … high milliseconds, drawn.
  Nanos ms(std::uint64_t low, std::uint64_t high);

  /// Devices that are online, in an order that the seed draws; one of each person, if so wanted.
  std::vector<DeviceHost*> online(bool one_each = false);
  /// The entry that holds the device's connection; nullptr: none.
  EntryDaemon* entry_of(DeviceHost& host);
  std::vector<EntryDaemon*> entries();
  std::vector<RouterDaemon*> routers();
  std::shared_ptr<Connection> connection_of(DeviceHost& host);

  /// Some other person of the world.
  Uid somebody_else(Uid than);

  /// As the person does it, on the device's node, now.
  void does(DeviceHost& host, std::function<void(DeviceHost&)> what);
  void says(DeviceHost& host, Uid to);
  void run(Nanos span) { world().run_for(span); }
  /// Until `what` holds, at most `span`; false: it did not.
  bool run_until(const std::function<bool()>& what, Nanos span);
  /// Everybody's outbox is empty, at most `span`.
  bool all_sent(Nanos span);
  /// Links between the two, for now.
  void slow(Node& a, Node& b, Nanos latency);
  void block(Node& a, Node& b);
  void unblock(Node& a, Node& b);
  /// The router's row of this person's slot, if it is live.
  static std::optional<router::Row> placed(RouterDaemon& router, const DeviceHost& host);
  /// A number of the seed's settings, in its unit.
  [[nodiscard]] std::uint64_t setting(const char* key) const {
    return std::stoul(cluster_.plan().settings.at(key));
  }
  /// A number behind everything that the scenes write.
  std::string text() { return "scene " + std::to_string(++said_); }

 private:
  Cluster& cluster_;
  std::uint64_t said_ = 0;
};

}  // namespace hy::sim
