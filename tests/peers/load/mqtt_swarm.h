#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/load/loop.h"
#include "common/base/turn_pacer.h"
#include "tests/peers/load/gathered_io.h"
#include "tests/peers/load/swarm.h"

struct mosquitto;
struct mosquitto_message;

namespace hy::peers {

class Meter;

/// MQTT 3.1.1 at QoS 1 over plain TCP: client i subscribes to c/<i> and publishes to c/<i ^ 1>; in
/// a group everybody subscribes to one topic and publishes to it.
/// Packets are libmosquitto's, over GatheredIo.
class MqttSwarm : public Swarm {
 public:
  MqttSwarm(Meter& meter, int port, std::size_t first_client);
  ~MqttSwarm() override;

  void begin_login(std::size_t client) override;
  void send(std::size_t client, std::string_view body) override;
  void turn(std::chrono::milliseconds at_most) override;

 private:
  struct Client;
  struct Free {
    void operator()(mosquitto* m) const;
  };
  static mosquitto* new_session(const std::string& id, Client& client);
  void on_readable(Client& client);
  void watch(Client& client, bool write);
  void send_all();

  Meter& meter_;
  int port_;
  std::size_t first_client_;
  int epoll_;
  /// As the clients of Hongyan: a peer's server is not billed for more wake-ups than ours.
  ThreadPacer pacer_{load::Loop::kTurnDistance};
  std::size_t ready_ = 0;  ///< in the last turn
  GatheredIo io_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> by_fd_;
};

}  // namespace hy::peers
