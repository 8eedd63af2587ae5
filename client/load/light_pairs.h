#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "client/load/light_client.h"
#include "common/base/clock.h"
#include "common/crypto/system_random.h"

namespace hy::load {

/// Light clients that write to each other in pairs, i to i ^ 1, in the caller's thread: for
/// programs that make a load of their own beside `hy bench` and need no more than counts. Nothing
/// is sent twice and nobody comes back by itself.
class LightPairs final : public Listener {
 public:
  struct Totals {
    std::uint64_t logged_in = 0;
    std::uint64_t login_failed = 0;
    std::uint64_t lost_connections = 0;
    std::uint64_t sent = 0;
    std::uint64_t stored = 0;
    std::uint64_t relayed = 0;
    std::uint64_t refused = 0;
    std::uint64_t refused_with_time = 0;  ///< and told when to come again
    std::uint64_t pushed = 0;
    std::uint64_t receipted = 0;  ///< messages covered by receipts
    std::uint64_t twice = 0;      ///< the seq that was pushed last, once more
    std::uint64_t disorder = 0;   ///< pushed below a larger seq
    Errc last_refusal = Errc::kOk;
  };
  /// Each gets the person's index.
  struct Hooks {
    std::function<void(std::size_t)> on_ready;  ///< logged in
    std::function<void(std::size_t)> on_failed;
    std::function<void(std::size_t)> on_refused;
    std::function<void(std::size_t, MonoTime sent)> on_stored;
  };
  /// People with their tokens, an even number; tokens are bound to "load-" and the uid.
  LightPairs(const crypto::Bytes32& server_key, std::vector<std::pair<Uid, Bytes>> people,
             Hooks hooks);

  void connect(std::size_t i, const sockaddr_in& to, in_addr from) {
    people_[i].client->connect(to, from);
  }
  /// To the other one of the pair. Requires is_open(i).
  void send(std::size_t i, std::string_view body);
  void ping(std::size_t i) { people_[i].client->ping(); }
  /// Waits until `until` at most for something to do, and does it.
  void turn(MonoTime until) { loop_.turn(until); }

  [[nodiscard]] std::size_t size() const { return people_.size(); }
  [[nodiscard]] bool is_open(std::size_t i) const { return people_[i].client->is_open(); }
  /// Messages of this person without an answer.
  [[nodiscard]] std::size_t outstanding(std::size_t i) const { return people_[i].outstanding; }
  [[nodiscard]] const Totals& totals() const { return totals_; }

  void on_open(LightClient& c) override;
  void on_reply(LightClient& c, std::uint32_t number, const SendReply& reply) override;
  void on_push(LightClient& c, std::uint32_t push_number, const PushView& push) override;
  void on_ack(LightClient&, std::uint32_t) override {}
  void on_receipt(LightClient& c, ConversationId conversation, std::uint64_t up_to,
                  Uid by) override;
  void on_hint(LightClient&) override {}
  void on_slice(LightClient&, ConversationId, std::span<const PushView>, std::uint64_t,
                bool) override {}
  void on_heads(LightClient&, std::span<const std::pair<ConversationId, std::uint64_t>>,
                bool) override {}
  void on_sync_refused(LightClient&, Millis) override {}
  void on_closed(LightClient& c, Blame blame, Errc code) override;

 private:
  struct Person {
    std::unique_ptr<LightClient> client;
    std::deque<MonoTime> sent;  ///< of the numbers first …; without a time: answered
    std::uint32_t first = 1;
    std::size_t outstanding = 0;
    std::uint64_t pushed_to = 0;
    std::uint64_t receipted_to = 0;
    std::deque<std::uint64_t> unreceipted;  ///< seqs of own messages, ascending
    bool was_open = false;
  };

  SystemClock clock_;
  crypto::SystemRandom random_;
  Loop loop_;
  SwarmShared shared_;
  Hooks hooks_;
  std::vector<Person> people_;
  Totals totals_;
};

/// "127.0.0.1:14000" as an address. Requires one that is well-formed.
sockaddr_in socket_address(const std::string& text);

}  // namespace hy::load
