#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/load/loop.h"
#include "common/base/turn_pacer.h"
#include "tests/peers/load/swarm.h"

namespace hy::peers {

class Meter;

/// XMPP over plain TCP: SASL PLAIN as u<i> with password "pw" on host "localhost", bind, session,
/// presence; then chat messages to the full address of client i ^ 1. Parsed by expat. What a turn
/// makes for one connection leaves in one write.
class XmppSwarm : public Swarm {
 public:
  XmppSwarm(Meter& meter, int port, std::size_t first_client);
  ~XmppSwarm() override;

  void begin_login(std::size_t client) override;
  void send(std::size_t client, std::string_view body) override;
  void turn(std::chrono::milliseconds at_most) override;

 private:
  struct Client;
  struct Handlers;
  void on_readable(Client& client);
  void on_stanza(Client& client);
  void queue(Client& client, std::string_view text);
  void flush(Client& client);
  void end(Client& client, std::string_view why);

  Meter& meter_;
  int port_;
  std::size_t first_client_;
  int epoll_;
  /// As the clients of Hongyan: a peer's server is not billed for more wake-ups than ours.
  ThreadPacer pacer_{load::Loop::kTurnDistance};
  std::size_t ready_ = 0;  ///< in the last turn
  std::string buffer_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> dirty_;
};

}  // namespace hy::peers
