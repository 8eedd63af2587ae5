#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/peers/load/swarm.h"

namespace hy::peers {

class Meter;

/// Hongyan's own light clients (client/load): the real protocol with its handshake, encryption and
/// receipts. A message is done when it is acknowledged as stored; pushes are checked by the
/// connection itself.
class HongyanSwarm : public Swarm {
 public:
  /// `access`: JSON with "address", "server_key", and "users" as pairs of uid and token in hex.
  /// Dials from `from`: each address has its own 28,000 ports.
  HongyanSwarm(Meter& meter, const std::filesystem::path& access, std::size_t first_client,
               std::string from);
  ~HongyanSwarm() override;

  void begin_login(std::size_t client) override;
  void send(std::size_t client, std::string_view body) override;
  void turn(std::chrono::milliseconds at_most) override;
  [[nodiscard]] bool is_settled() const override;
  [[nodiscard]] std::vector<std::pair<const char*, std::uint64_t>> checks() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string from_;
};

}  // namespace hy::peers
