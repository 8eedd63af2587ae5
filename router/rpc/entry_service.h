#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/rpc/stream.h"
#include "hy/router/v1/entry_stream.pb.h"
#include "router/deliver/deliver_fanout.h"
#include "router/link/router_link.h"
#include "router/ports/entry_port.h"

namespace hy::router {

/// The streams that entries open: translates between batches and the cores, in both directions.
/// Loop thread.
class EntryService final : public EntryPort {
 public:
  using Out = v1::RouterBatch;
  using In = v1::EntryBatch;
  static constexpr char kMethod[] = "/hy.router.v1.EntryStream/Placement";

  struct Identity {
    std::string instance;  ///< "router-a"
    std::uint64_t boot = 0;
    std::uint64_t topology_version = 0;
    /// Which entry a certificate's name belongs to; 0: none.
    std::function<EntryId(std::string_view)> entry_of_name;
  };
  EntryService(rpc::Loop& loop, Identity identity);
  /// Before the first stream. Both outlive it.
  void bind(RouterLink& link, DeliverFanout& fanout);

  [[nodiscard]] std::unique_ptr<rpc::RawHandler> open(rpc::Stream<Out> stream);
  /// Ends the entry's stream.
  void drop(EntryId entry, Errc code, const std::string& detail);
  /// Says goodbye on all streams.
  void goodbye(Errc code, const std::string& detail);

  [[nodiscard]] bool is_up(EntryId entry) const override;
  [[nodiscard]] bool has_room(EntryId entry) const override;
  void forward(EntryId entry, std::uint64_t id, const Delivery& delivery,
               std::span<const ConnId> conns) override;
  void kick(EntryId entry, const KickOrder& order) override;
  void ack(EntryId entry, std::uint64_t op) override;
  void need_snapshot(EntryId entry) override;
  void ask_digests(EntryId entry) override;
  void ask_rows(EntryId entry, const std::vector<std::uint32_t>& buckets) override;

 private:
  class EntryStream;
  [[nodiscard]] rpc::Stream<Out> stream_of(EntryId entry) const;
  void fill_hello(Out& batch) const;
  void on_closed(const EntryStream& stream);

  rpc::Loop& loop_;
  Identity identity_;
  RouterLink* link_ = nullptr;
  DeliverFanout* fanout_ = nullptr;
  std::map<EntryId, EntryStream*> streams_;
};

}  // namespace hy::router
