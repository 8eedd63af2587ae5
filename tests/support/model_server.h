#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/core/codec.h"
#include "common/base/random.h"
#include "common/crypto/x25519.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"

namespace hy::test {

/// A cluster small enough for a test: one log per conversation, dense seqs, ids unique, GAP judged,
/// and the channel of an entry. No socket, no clock: connections are objects that take and give
/// bytes, so the same model stands behind a simulated network and behind TestServer's sockets.
///
/// What a server may do wrong or unluckily is a knob: a test sets it, the devices must cope.
class ModelServer {
 public:
  struct KnobSet {
    bool is_mute = false;               ///< reads everything, answers nothing
    std::uint32_t drop_send_acks = 0;   ///< the next so many SENDs are stored and not answered
    std::uint32_t lose_sends = 0;       ///< the next so many SENDs are neither stored nor answered
    std::uint32_t hold_sends = 0;       ///< answers to the next so many wait for answer_held
    std::uint32_t hold_pulls = 0;       ///< the same
    std::uint32_t drop_pushes = 0;      ///< the next so many pushes are not made
    std::optional<Uid> drop_pushes_to;  ///< only those to this one; none: to anybody
    bool relays = false;                ///< store down: RELAYED, provisional pushes
    std::map<std::uint32_t, Errc> refuse_send;  ///< the n-th SEND (from 1) is refused so
    std::uint32_t lose_reads = 0;               ///< the next so many READs are not answered
    std::uint32_t refuse_syncs = 0;             ///< the next so many are refused: busy
    std::uint32_t refuse_reads = 0;             ///< the next so many are refused: the store is away
    Millis retry_after{0};
    std::optional<Errc> refuse_login;
    std::optional<std::uint32_t> stale_below;  ///< conn_counter below this is STALE_EPOCH
    bool keeps_change_counter = false;         ///< PONG knows it
    std::uint32_t heartbeat_ms = 60'000;
    std::uint32_t ack_within_ms = 0;  ///< a PUSH_ACK may wait so long …
    std::uint32_t ack_owed_max = 32;  ///< … for so many pushes
    std::uint32_t ack_owed_bytes_max = 64 * 1'024;
    std::uint64_t store_epoch = 1;
    std::uint32_t slice = 200;  ///< rows of one PULL
    bool push_own_devices = true;
    bool refuse_groups = false;
  };
  struct Row {
    std::uint64_t seq;
    std::uint64_t sender;
    ClientMsgId id;
    std::uint32_t kind;
    Bytes body;
  };

  explicit ModelServer(std::uint64_t seed);
  [[nodiscard]] Bytes public_key() const;

  /// One accepted socket. `out` takes bytes for the client; `close` ends it.
  class Connection;
  std::shared_ptr<Connection> accept(std::function<void(Bytes)> out, std::function<void()> close);

  /// A person writes from a device that is not part of the test.
  ClientMsgId write(Uid from, Uid to, const Bytes& body);
  /// Chat groups: who sees which part of the log. leave 0: is in.
  struct Span {
    std::uint64_t join = 0;
    std::uint64_t leave = 0;
    [[nodiscard]] bool has(std::uint64_t seq) const {
      return seq >= join && (leave == 0 || seq < leave);
    }
  };
  /// The first one did it. The event is written, pushed, and the span set, at once.
  void change_group(Gid gid, Uid actor, const std::vector<Uid>& add, const std::vector<Uid>& remove,
                    const std::string& name = "group");
  ClientMsgId write(Uid from, Gid to, const Bytes& body);
  /// The log forgets everything above `seq`; a restore raises the epoch.
  void set_back(ConversationId conversation, std::uint64_t seq) {
    auto& log = logs[conversation];
    while (!log.empty() && log.back().seq > seq) log.pop_back();
  }
  void goaway(Uid uid, std::uint32_t wait_max_ms);
  void kick(Uid uid, Errc code);
  void hint(Uid uid);
  /// The next push to each session of the user takes a number and is not written.
  void drop_pushes_after_numbering(Uid uid);
  /// Any frame to every session of a user: for rogue servers.
  void inject(Uid uid, std::uint16_t type, std::uint32_t request_id, const Bytes& body);
  void close_all();
  /// The oldest answer that hold_sends or hold_pulls has kept goes out, late.
  void answer_held();

  KnobSet knobs;
  std::map<std::string, Uid> names;  ///< accounts; any password is right but "wrong"
  std::map<ConversationId, std::vector<Row>> logs;
  std::map<ConversationId, std::map<std::uint64_t, Span>> spans;  ///< of groups, by uid
  std::uint64_t sends_seen = 0;
  std::uint64_t syncs_seen = 0;
  std::uint64_t reads_seen = 0;
  std::uint64_t pulls_seen = 0;
  std::uint64_t logins_seen = 0;
  std::uint64_t pings_seen = 0;
  std::uint64_t receipts_sent = 0;
  std::vector<std::uint32_t> conn_counters;  ///< of the logins, in order

 private:
  friend class Connection;
  void append_and_push(Connection* from, ConversationId conversation, const Row& row);
  [[nodiscard]] bool is_for(ConversationId conversation, std::uint64_t seq, Uid uid) const;

  SeededRandom random_;
  crypto::X25519KeyPair key_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::map<std::uint64_t, std::uint64_t> counters_;
  std::set<ClientMsgId> relayed_;
  std::deque<std::function<void()>> held_;
};

class ModelServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ModelServer& server, std::function<void(Bytes)> out, std::function<void()> close)
      : server_(server), out_(std::move(out)), close_(std::move(close)) {}
  void received(std::span<std::uint8_t> bytes);
  void shut();
  [[nodiscard]] Uid uid() const { return uid_; }
  [[nodiscard]] bool is_open() const { return !is_shut_; }
  [[nodiscard]] std::uint32_t acked() const { return acked_; }

 private:
  friend class ModelServer;
  struct Pushed {
    ConversationId conversation;
    std::uint64_t seq;
    std::uint64_t sender;
    ClientMsgId id;
  };
  void on_frame(const wire::Frame& frame);
  void on_inner(const wire::Inner& inner);
  void answer(const wire::Inner& request, const Bytes& body) { answer(request, 0, body); }
  void answer(const wire::Inner& request, std::uint16_t flags, const Bytes& body);
  void refuse(const wire::Inner& request, Errc code, std::uint32_t counter = 0,
              std::uint64_t head = 0);
  void frame(std::uint16_t type, std::uint16_t flags, std::uint32_t id, const Bytes& body);
  void push(const Row& row, ConversationId conversation, bool provisional);
  void on_login(const wire::Inner& inner);
  void on_send(const wire::Inner& inner);
  void on_group_create(const wire::Inner& inner);
  void on_push_ack(std::uint32_t n);
  void on_sync(const wire::Inner& inner);
  void on_pull(const wire::Inner& inner, bool is_history);

  ModelServer& server_;
  std::function<void(Bytes)> out_;
  std::function<void()> close_;
  wire::FrameDecoder decoder_;
  wire::ReadState state_ = wire::ReadState::kServerHello;
  Bytes prologue_;
  const wire::ChannelSuite* suite_ = nullptr;
  wire::Transport transport_;
  Bytes scratch_;
  Uid uid_{};
  bool is_shut_ = false;
  bool swallows_next_push_ = false;
  std::uint32_t pushes_ = 0;
  std::uint32_t acked_ = 0;
  std::map<std::uint32_t, Pushed> window_;
};

}  // namespace hy::test
