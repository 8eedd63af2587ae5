#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/stream.h"
#include "entry/link/hub.h"
#include "entry/ports/logic_port.h"

namespace hy::logic::v1 {
class EntryBatch;
class LogicBatch;
}  // namespace hy::logic::v1

namespace hy::entry {

/// How this process names itself on its streams.
struct EntryName {
  std::string name;  ///< "entry-a"
  EntryId id;
  std::uint64_t topology_version = 0;
};

/// One stream to each logic of the group. Loop thread, except start() and stop().
class LogicClient final : public LogicPort {
 public:
  static constexpr char kMethod[] = "/hy.logic.v1.EntryStream/Session";
  LogicClient(rpc::Loop& loop, EntryName name, std::uint64_t incarnation,
              const std::vector<std::string>& targets, const std::vector<std::string>& peer_names,
              const rpc::TlsFiles& tls);
  ~LogicClient() override;

  /// The hub outlives the streams.
  void start(Hub& hub);
  /// Loop thread: the last thing said before stop().
  void goodbye(Errc code, const std::string& detail);
  /// Not the loop thread.
  void stop();
  [[nodiscard]] std::size_t up_count() const;
  /// "logic a" of every stream that is down. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

  [[nodiscard]] bool has_room(std::uint32_t logic) const override;
  void forward(std::uint32_t logic, std::uint64_t id, const Command& command,
               Millis remaining) override;
  void confirm(std::uint32_t logic, const Confirm& confirm) override;
  void closed(std::uint32_t logic, ConnId conn, const Session& session) override;

 private:
  class Link;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace hy::entry
