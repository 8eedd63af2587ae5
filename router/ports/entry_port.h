#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/base/ids.h"

namespace hy::router {

/// Closes one connection, unless its session is newer than `below`. Idempotent.
struct KickOrder {
  ConnId conn;
  Uid uid;
  Slot slot = Slot::kNone;
  Epoch below;
  Errc code = Errc::kKicked;
  std::string reason;
};

/// One delivery as logic asked for it, without its targets. The bytes are those of the batch that
/// it came in: they are valid for the call.
struct Delivery {
  std::uint64_t id = 0;  ///< logic's; 0: no result wanted
  std::uint32_t type = 0;
  std::string_view body;
  std::string_view conversation;
  std::uint64_t seq = 0;
  std::uint64_t sender = 0;
  std::string_view client_msg_id;
  std::uint32_t remaining_ms = 0;
  bool numbered = false;
  bool until_ack = false;
  std::uint64_t trace = 0;
  bool ephemeral = false;
  bool no_receipt = false;
  bool brief = false;  ///< results may be counted: many people are meant
};

/// What a replica sends on the stream that an entry opened. Calls for an entry without a stream do
/// nothing.
class EntryPort {
 public:
  virtual ~EntryPort() = default;
  [[nodiscard]] virtual bool is_up(EntryId entry) const = 0;
  /// False: its queue is full, what is sent now would be too much.
  [[nodiscard]] virtual bool has_room(EntryId entry) const = 0;
  /// id: this replica's number of the forward, 0 = no result wanted.
  virtual void forward(EntryId entry, std::uint64_t id, const Delivery& delivery,
                       std::span<const ConnId> conns) = 0;
  virtual void kick(EntryId entry, const KickOrder& order) = 0;
  /// Everything up to `op` is held here; 0: nothing said, a sign of life.
  virtual void ack(EntryId entry, std::uint64_t op) = 0;
  virtual void need_snapshot(EntryId entry) = 0;
  virtual void ask_digests(EntryId entry) = 0;
  virtual void ask_rows(EntryId entry, const std::vector<std::uint32_t>& buckets) = 0;
};

}  // namespace hy::router
