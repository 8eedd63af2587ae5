#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/core/device.h"
#include "client/sdk/store/store.h"
#include "tests/sim/cluster/recorder.h"
#include "tests/sim/kernel/network.h"

namespace hy::sim {

/// Where a device may die or its disk may fail, in strikes per million commits.
struct DeviceFaults {
  std::uint32_t die_before_commit = 0;
  std::uint32_t die_after_commit = 0;
  std::uint32_t die_after_sending = 0;
  std::uint32_t store_fails = 0;  ///< the transaction is refused, as by a full disk
};

struct DeviceSpec {
  Uid uid{};
  std::string name;
  Slot slot = Slot::kDesktop;
  std::uint32_t installation = 1;
  client::DeviceSettings settings;
};

/// One installation of one person's app: the SDK's core as its driver hosts it (a turn's writes,
/// then its bytes, then its notices), on a node that can die between any two of them. Its store and
/// its history survive.
class DeviceHost {
 public:
  DeviceHost(World& world, Network& network, Node& node, DeviceSpec spec);
  DeviceHost(const DeviceHost&) = delete;
  DeviceHost& operator=(const DeviceHost&) = delete;

  // What a person does; on the device's node. While the app is not running: nothing.
  void log_in();
  void log_out();
  /// Ends the connection without LOGOUT and stays offline until log_in().
  void go_offline();
  /// False: refused by the SDK (never logged in, outbox full).
  bool send(Uid to, const Bytes& body);
  bool send(Gid to, const Bytes& body);
  using GroupAnswer = std::function<void(const Result<Group>&)>;
  /// creation_id: the same for every try. `told` hears the answer, unless the app ends before.
  void create_group(std::string_view name, const std::vector<Uid>& members,
                    const ClientMsgId& creation_id, GroupAnswer told);
  void ask_group(Gid gid, GroupAnswer told);
  void change_group(Gid gid, const std::vector<Uid>& add, const std::vector<Uid>& remove);
  void mark_read(ConversationId conv);
  void retry_refused();
  void sync();
  void ask_recents();
  void ask_history(ConversationId conv);
  void block(Uid uid, bool on);
  void drop_connection();
  /// As no app of ours does: SEND with the id of an earlier message and another body. False: not
  /// possible now. `taken` is called when the server says STORED to it.
  bool send_under(const ClientMsgId& id, Uid to, const Bytes& body, std::function<void()> taken);
  /// The id of the last message that send() took.
  [[nodiscard]] std::optional<ClientMsgId> last_sent() const { return last_sent_; }
  /// The app comes back from a backup: its connection counter is lower by so much. Offline.
  void restore_counter(std::uint32_t lower_by);

  [[nodiscard]] Node& node() { return node_; }
  [[nodiscard]] const DeviceSpec& spec() const { return spec_; }
  [[nodiscard]] client::Device* device() { return device_.get(); }
  [[nodiscard]] Recorder& recorder() { return recorder_; }
  [[nodiscard]] client::Store& store() { return *store_; }
  [[nodiscard]] bool wants_online() const { return wants_online_; }
  [[nodiscard]] LinkState link() const {
    return device_ == nullptr ? LinkState::kIdle : device_->link().state();
  }
  /// Online, nothing queued, nothing missing.
  [[nodiscard]] bool is_settled() const;
  /// Messages written and not yet stored or refused.
  [[nodiscard]] std::size_t open_sends() const;
  /// Requests of the app that wait for an answer.
  [[nodiscard]] std::size_t open_requests() const { return open_requests_; }
  [[nodiscard]] std::uint64_t submitted() const { return submitted_; }
  [[nodiscard]] std::uint64_t crashes() const { return crashes_; }
  /// Transactions that its disk refused.
  [[nodiscard]] std::uint64_t disk_failures() const { return disk_failures_; }
  /// Set by the cluster; all devices share it.
  const DeviceFaults* faults = nullptr;
  /// Told of each change of the link, for a person who watches.
  std::function<void(LinkState, const std::string& why)> on_link;
  /// Told of a promise that the connection broke.
  std::function<void(const std::string& what)> on_broken;
  /// The core asks again and again for a tick in which it does nothing: a driver would spin.
  std::function<void()> on_spin;

 private:
  struct Wire;
  void boot();
  void destroy();
  void load();
  void forget_life();
  template <class F>
  bool run(F&& f);
  void end_turn(client::Turn& turn);
  void act(client::Turn& turn);
  void connect(client::AttemptId attempt, const std::string& address);
  void tell(const client::Turn& turn, const std::vector<client::RowFate>& fates);
  void arm();
  void recover();
  bool strikes(std::uint32_t per_million);
  template <class To>
  bool submit(To to, ConversationId conv, const Bytes& body);
  void ask(std::uint16_t type, Bytes body, std::function<void(const Result<Bytes>&)> told);

  World& world_;
  Network& network_;
  Node& node_;
  const DeviceSpec spec_;
  Recorder recorder_;
  std::unique_ptr<client::Store> store_;
  std::unique_ptr<client::Device> device_;
  std::map<client::AttemptId, std::shared_ptr<Wire>> wires_;
  std::set<client::AttemptId> dialling_;
  std::optional<client::OutboxRecord> submitting_;  ///< of this turn, until its commit
  client::Identity identity_;
  EventId timer_{};
  MonoTime armed_for_ = client::kNever;
  MonoTime ticked_at_{};
  std::uint32_t ticks_here_ = 0;  ///< ticks at one moment
  bool wants_online_ = false;
  std::uint64_t next_token_ = 1;
  std::size_t open_requests_ = 0;
  std::map<std::uint64_t, bool> recents_;  // tokens of RECENTS
  std::map<std::uint64_t, std::function<void()>> unruly_;
  std::map<std::uint64_t, std::function<void(const Result<Bytes>&)>> asked_;
  std::optional<ClientMsgId> last_sent_;
  std::uint64_t submitted_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t disk_failures_ = 0;
  std::uint32_t life_ = 0;
};

}  // namespace hy::sim
