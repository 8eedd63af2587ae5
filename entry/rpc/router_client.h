#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/stream.h"
#include "entry/link/hub.h"
#include "entry/ports/router_port.h"
#include "entry/rpc/logic_client.h"

namespace hy::entry {

/// One stream to each router replica of the group. Loop thread, except start(), stop() and
/// missing().
class RouterClient final : public RouterPort {
 public:
  static constexpr char kMethod[] = "/hy.router.v1.EntryStream/Placement";
  RouterClient(rpc::Loop& loop, EntryName name, const std::vector<std::string>& targets,
               const std::vector<std::string>& peer_names, const rpc::TlsFiles& tls);
  ~RouterClient() override;

  /// `name_taken` runs on the loop when a second process with this entry's name was heard of.
  void start(Hub& hub, std::function<void()> name_taken);
  /// Loop thread: the last thing said before stop().
  void goodbye(Errc code, const std::string& detail);
  /// Not the loop thread.
  void stop();
  [[nodiscard]] std::vector<std::string> missing() const;

  [[nodiscard]] bool has_room(std::uint32_t replica) const override;
  void hello(std::uint32_t replica, const LinkHello& hello) override;
  void ops(std::uint32_t replica, std::uint64_t after, std::uint64_t last,
           std::span<const PlacementRow> rows) override;
  void snapshot(std::uint32_t replica, std::span<const PlacementRow> rows, bool end,
                std::uint64_t last_op) override;
  void bucket_rows(std::uint32_t replica, std::uint32_t bucket,
                   std::span<const PlacementRow> rows) override;
  void bucket_digests(std::uint32_t replica, std::uint64_t last_op,
                      const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) override;
  void heartbeat(std::uint32_t replica, const LinkHeartbeat& heartbeat) override;
  void result(std::uint32_t replica, const DeliveryResult& result) override;
  void redial(std::uint32_t replica, const std::string& why) override;

 private:
  class Link;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace hy::entry
