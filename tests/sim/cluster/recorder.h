#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/core/device.h"
#include "client/judge/history.h"

namespace hy::sim {

/// Writes the history of one device as the checkers read it: what it says and hears (the tap), what
/// its commits hold, what it shows.
class Recorder final : public client::DeviceTap {
 public:
  explicit Recorder(judge::DeviceKey key) : history_(key) {}

  // Of the app.
  void submitted(MonoTime now, const ClientMsgId& id, ConversationId conv, std::uint32_t kind,
                 const Bytes& body);
  void read_wanted(MonoTime now, ConversationId conv, Seq seq);
  void unread(MonoTime now, ConversationId conv, std::int64_t count);
  void restarted(MonoTime now);
  void end(MonoTime now, bool drained);
  /// A SEND of this id with this body is not the app's message: what is said of it is not recorded.
  void leave_out(const ClientMsgId& id, const Bytes& body) { left_out_[id] = body; }
  /// The turn died before its commit: the device never knew what it heard in it.
  void turn_lost(MonoTime now);

  /// After the turn's transaction is on disk, before its network actions.
  void committed(MonoTime now, const client::Turn& turn, const std::vector<client::RowFate>& fates);
  /// What the app is told, after the network actions.
  void told(MonoTime now, const client::Turn& turn, const std::vector<client::RowFate>& fates);

  // DeviceTap
  void asked(MonoTime now, std::uint16_t type, std::uint32_t request_id, ByteView body) override;
  void heard(MonoTime now, const wire::Inner& inner) override;
  void logged_in(MonoTime now, const client::LoginAnswered& answer) override;

  [[nodiscard]] judge::History& history() { return history_; }
  /// Numbers of the last request that left the device, of the last one that was answered.
  [[nodiscard]] std::uint32_t last_asked() const { return last_asked_; }
  [[nodiscard]] std::uint32_t last_answered() const { return last_answered_; }
  [[nodiscard]] std::uint64_t shown() const { return shown_; }
  [[nodiscard]] std::uint64_t stored() const { return stored_; }
  [[nodiscard]] std::uint64_t relayed() const { return relayed_; }

 private:
  struct Asked {
    std::uint16_t type = 0;
    ClientMsgId id{};
    ConversationId conv{};
    Seq from{};
    Seq to{};
    bool first_page = true;
  };
  struct HeardAnswer {
    ClientMsgId id{};
    ConversationId conv{};
    Seq seq{};  ///< 0: RELAYED
    bool repeat = false;
  };
  static judge::Nanos ns(MonoTime t) { return t.time_since_epoch().count(); }
  void heard_send(MonoTime now, const Asked& asked, const wire::Inner& inner);
  void answers_committed(MonoTime now);
  void heard_pull(MonoTime now, const Asked& asked, std::uint32_t number, ByteView body);
  void heard_sync(MonoTime now, const Asked& asked, ByteView body);
  void row_committed(MonoTime now, const Message& row, client::RowFate fate);
  void cursor_committed(MonoTime now, const client::ConversationRecord& record);
  void link_changed(MonoTime now, LinkState state, const std::string& why);
  void stepped(MonoTime now, const client::StepChanged& change);
  void tries_over(MonoTime now);
  void connection_over(MonoTime now, judge::ClosedBy by);

  judge::History history_;
  std::map<std::uint32_t, Asked> asked_;
  std::map<ClientMsgId, ConversationId> own_;
  std::map<ClientMsgId, Bytes> left_out_;
  std::vector<HeardAnswer> answers_;  // of this turn, which is not on disk yet
  std::set<ClientMsgId> saved_;
  std::map<ClientMsgId, judge::Shown> states_;
  std::map<ConversationId, std::pair<std::uint64_t, std::uint64_t>> cursors_;  // base, have
  std::vector<judge::Item> sync_list_;
  std::uint32_t sync_number_ = 0;
  std::uint32_t connection_ = 0;
  std::uint32_t last_asked_ = 0;
  std::uint32_t last_answered_ = 0;
  bool logged_in_ = false;
  std::uint64_t shown_ = 0;
  std::uint64_t stored_ = 0;
  std::uint64_t relayed_ = 0;
};

}  // namespace hy::sim
