#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/core/device.h"
#include "client/sdk/store/store.h"
#include "tests/support/model_server.h"

namespace hy::test {

/// Devices and a ModelServer on a hand-set clock and a network of one-millisecond hops that keeps
/// the order of each direction. Everything follows from the seed.
class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed) : server(seed), random(seed ^ 0x5EED) {}

  /// Runs events and time-outs until `now` has moved by `span`.
  void run_for(Millis span);
  /// False: `done` did not become true within `within`.
  bool run_until(const std::function<bool()>& done, Millis within);
  void at(MonoTime when, std::function<void()> f) { events_.emplace(when, std::move(f)); }

  ModelServer server;
  SeededRandom random;
  MonoTime now{std::chrono::hours(1)};
  std::int64_t wall_ms = 1'700'000'000'000;
  bool is_network_down = false;
  /// Extra delay of each hop, for interleavings: 0 .. this.
  Millis jitter_max{0};

 private:
  friend class SimDevice;
  std::multimap<MonoTime, std::function<void()>> events_;
  std::vector<class SimDevice*> devices_;
};

/// What the driver is in the SDK, for one device in the world.
class SimDevice {
 public:
  using OpenStore = std::function<std::unique_ptr<client::Store>()>;
  SimDevice(SimWorld& world, std::string name, client::DeviceSettings settings,
            OpenStore open_store = {});
  ~SimDevice();
  SimDevice(const SimDevice&) = delete;
  SimDevice& operator=(const SimDevice&) = delete;

  void login(const std::string& password = "password");
  Result<ClientMsgId> send(Uid to, const Bytes& body);
  void run(const std::function<void(client::Device&, client::Turn&)>& f);
  /// The process dies and starts again from its store; it logs in again by itself.
  void crash_and_restart();
  /// Nothing arrives any more in either direction, and no socket says so.
  void cut_cable(bool is_cut) { is_cut_ = is_cut; }
  [[nodiscard]] client::Device& device() { return *device_; }
  [[nodiscard]] Step step_of(const ClientMsgId& id) const;
  /// Bodies shown, in order; a moved row counts once, at its first place.
  [[nodiscard]] std::vector<Bytes> bodies() const;

  std::vector<Message> shown;
  std::map<ClientMsgId, Step> steps;
  std::map<ClientMsgId, Errc> codes;
  std::vector<std::pair<LinkState, std::string>> states;
  std::vector<LadderEvent> ladder;
  std::vector<Status> logins;
  std::uint64_t up_to_date = 0;
  std::uint64_t commits = 0;
  /// The process dies around its n-th commit (counted from now; 0: never).
  std::uint64_t crash_before_commit = 0;
  std::uint64_t crash_after_commit = 0;
  std::uint64_t crashes = 0;

 private:
  friend class SimWorld;
  struct Wire {
    std::shared_ptr<ModelServer::Connection> server_side;
    MonoTime last_out{};
    MonoTime last_in{};
    bool is_open = true;
  };
  void load();
  void act(client::Turn& turn);
  void tell(client::Turn& turn, const std::vector<client::RowFate>& fates);
  void connect(client::AttemptId attempt, const std::string& address);
  void carry(client::AttemptId attempt, Bytes bytes);
  MonoTime hop(MonoTime& last);

  SimWorld& world_;
  std::string name_;
  client::DeviceSettings settings_;
  std::unique_ptr<client::Store> store_;
  OpenStore open_store_;
  std::unique_ptr<client::Device> device_;
  SeededRandom random_;
  client::Identity identity_;
  std::map<client::AttemptId, std::shared_ptr<Wire>> wires_;
  std::uint64_t life_ = 0;
  bool is_cut_ = false;
  bool wants_login_ = false;
};

/// Settings with the model's key and one entry.
client::DeviceSettings sim_settings(const ModelServer& server);

}  // namespace hy::test
