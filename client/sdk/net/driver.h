#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "client/core/device.h"
#include "client/sdk/net/connection.h"
#include "client/sdk/store/store.h"
#include "common/base/clock.h"
#include "common/crypto/system_random.h"
#include "common/net/asio.h"

namespace hy::client {

/// Runs one Device: sockets, timer and store around its turns. Everything on one thread.
///
/// The order that carries the promises: a turn's writes are committed, then its bytes leave, then
/// its notices are told. A failed transaction drops the turn and every connection, opens the store
/// again and goes on from what it holds.
class Driver final : public ConnectionUser, public std::enable_shared_from_this<Driver> {
 public:
  using OpenStore = std::function<Result<std::unique_ptr<Store>>()>;
  /// Told in order, one at a time, outside of any turn: it may call back into the driver.
  using OnNotice = std::function<void(Notice&)>;

  Driver(asio::io_context& context, DeviceSettings settings, std::string device_id,
         OpenStore open_store, OnNotice on_notice);

  /// Opens the store. Once, before anything else.
  Status open();
  /// One turn: f(device, turn, now). Returns the state of the store: an error means that nothing of
  /// the turn happened, or nobody knows.
  Status run(const std::function<void(Device&, Turn&, MonoTime)>& f);
  void login(Identity identity);
  /// Writes outside of a device (names).
  Status write(Write write);
  void unplug(bool unplugged);
  void drop_connection();
  void want_ladder(bool wanted) { want_ladder_ = wanted; }
  /// Before open(); it outlives the driver. Needs the ladder for PUSH_ACK.
  void observe(TurnObserver* observer) { observer_ = observer; }
  /// Ends sockets and timer; nothing is told afterwards.
  void shut();

  [[nodiscard]] Device& device() { return *device_; }
  [[nodiscard]] Store& store() { return *store_; }
  [[nodiscard]] std::int64_t wall_ms() const { return clock_.wall_ms(); }

  void on_connected(AttemptId attempt) override;
  void on_connect_failed(AttemptId attempt, const std::string& why) override;
  void on_readable(AttemptId attempt) override;
  void on_closed(AttemptId attempt, const std::string& why) override;

 private:
  Status end_turn(Turn& turn);
  void act(Turn& turn);
  void tell(Turn& turn, const std::vector<RowFate>& fates);
  void deliver();
  void arm();
  Status load();
  void recover(const Error& error);
  void after_recovery();

  asio::io_context& context_;
  DeviceSettings settings_;
  std::string device_id_;
  OpenStore open_store_;
  OnNotice on_notice_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Device> device_;
  Identity identity_;
  bool has_identity_ = false;
  std::map<AttemptId, std::shared_ptr<Connection>> connections_;
  asio::steady_timer timer_;
  MonoTime armed_for_ = kNever;
  std::deque<Notice> notices_;
  TurnObserver* observer_ = nullptr;
  bool is_delivering_ = false;
  bool is_unplugged_ = false;
  bool is_broken_ = false;  ///< the store failed; waiting to open it again
  bool is_shut_ = false;
  bool want_ladder_ = false;
};

}  // namespace hy::client
