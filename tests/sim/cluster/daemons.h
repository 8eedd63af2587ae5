#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/command_line.h"
#include "das/node.h"
#include "entry/node.h"
#include "logic/node.h"
#include "router/node.h"
#include "tests/sim/cluster/plan.h"
#include "tests/sim/cluster/sockets.h"
#include "tests/sim/kernel/network.h"
#include "tests/sim/store/model_engine.h"
#include "tests/sim/store/sim_workers.h"

namespace hy::sim {

/// What all daemons of a world share: addresses, keys, configuration, the stores.
struct Site {
  Site(World& world, Network& network, const Plan& plan);

  [[nodiscard]] config::Start start_of(config::Role role, std::uint32_t index) const;
  [[nodiscard]] std::string address(config::Role role, std::uint32_t index) const;
  [[nodiscard]] const Bytes& server_key() const { return server_key_; }
  /// Before any daemon starts. All with the same password.
  void create_accounts(std::uint32_t count);
  static Uid uid_of(std::uint32_t user) { return Uid{1'001 + user}; }
  static std::string name_of(std::uint32_t user) { return "user" + std::to_string(user); }
  static constexpr std::string_view kPassword = "sim";

  World& world;
  Network& network;
  const Plan& plan;
  NodeClock store_clock;
  ModelStore store;
  ModelRedis redis;

 private:
  config::Topology topology_;
  std::map<config::Role, config::Values> values_;
  Bytes server_key_;
};

/// One daemon of the cluster on its node: made at each start, thrown away at each death.
class Daemon {
 public:
  Daemon(Site& site, config::Role role, std::uint32_t index);
  virtual ~Daemon() = default;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  [[nodiscard]] Node& node() { return node_; }
  [[nodiscard]] config::Role role() const { return role_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  /// Whom it misses; empty: ready. Only while it runs.
  [[nodiscard]] virtual std::vector<std::string> missing() const = 0;
  /// Orderly end, on its node, just before kill().
  virtual void drain() = 0;
  /// What its /metrics says: the sum over a name's series. Only while it runs.
  [[nodiscard]] double metric(std::string_view name) const;

 protected:
  Site& site_;
  const config::Role role_;
  const std::uint32_t index_;
  const config::Start start_;
  std::optional<obs::Registry> registry_;  ///< of one life
  Node& node_;
};

class EntryDaemon final : public Daemon {
 public:
  EntryDaemon(Site& site, std::uint32_t index);
  [[nodiscard]] std::vector<std::string> missing() const override { return entry_->missing(); }
  void drain() override;
  [[nodiscard]] entry::Node* entry() { return entry_ ? &*entry_ : nullptr; }

 private:
  std::optional<SimShardThreads> threads_;
  std::optional<entry::Node> entry_;
};

class LogicDaemon final : public Daemon {
 public:
  LogicDaemon(Site& site, std::uint32_t index);
  [[nodiscard]] std::vector<std::string> missing() const override { return logic_->missing(); }
  void drain() override;
  [[nodiscard]] logic::Node* logic() { return logic_ ? &*logic_ : nullptr; }

 private:
  std::optional<logic::Node> logic_;
};

class RouterDaemon final : public Daemon {
 public:
  RouterDaemon(Site& site, std::uint32_t index);
  [[nodiscard]] std::vector<std::string> missing() const override { return router_->missing(); }
  void drain() override;
  [[nodiscard]] router::Node* router() { return router_ ? &*router_ : nullptr; }

 private:
  std::optional<router::Node> router_;
};

class DasDaemon final : public Daemon {
 public:
  DasDaemon(Site& site, std::uint32_t index);
  [[nodiscard]] std::vector<std::string> missing() const override;
  void drain() override;
  [[nodiscard]] das::Node* das() { return das_ ? &*das_ : nullptr; }

 private:
  std::optional<das::Metrics> metrics_;
  std::unique_ptr<ModelEngine> engine_;
  std::optional<das::Node> das_;
};

}  // namespace hy::sim
