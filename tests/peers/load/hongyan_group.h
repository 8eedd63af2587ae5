#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "tests/peers/load/swarm.h"

namespace hy::peers {

class Meter;

/// All clients in one chat group of Hongyan, made by the first of them with GROUP_CREATE once the
/// last one has logged in. A delivery is a PUSH at another member; each is confirmed by PUSH_ACK.
class HongyanGroup : public Swarm {
 public:
  /// As HongyanSwarm.
  HongyanGroup(Meter& meter, const std::filesystem::path& access, const std::string& from);
  ~HongyanGroup() override;

  void begin_login(std::size_t client) override;
  void send(std::size_t client, std::string_view body) override;
  void turn(std::chrono::milliseconds at_most) override;
  [[nodiscard]] bool is_settled() const override;
  [[nodiscard]] std::vector<std::pair<const char*, std::uint64_t>> checks() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::peers
