#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/core/records.h"
#include "common/base/result.h"

namespace hy::client {

/// Where a device keeps itself. One owner, one thread.
class Store {
 public:
  virtual ~Store() = default;
  /// Everything that the cores need. Errors: kSchemaTooNew (a newer SDK wrote it), kSchemaBroken,
  /// kStoreDown.
  virtual Result<Snapshot> load() = 0;
  /// All of it in one transaction, on disk when it returns; one fate for each PutRow, in order.
  /// An error: nothing is known about it; load() again before anything else. kStoreFull: the disk
  /// is full, nothing was written.
  virtual Result<std::vector<RowFate>> apply(std::span<const Write> writes) = 0;
  /// Stored rows of a conversation, ascending: from ≤ seq ≤ to, and of those the last `last` when
  /// last > 0, at most 200.
  virtual Result<std::vector<Message>> rows(ConversationId conversation, Seq from, Seq to,
                                            std::uint32_t last) = 0;
  virtual Result<std::optional<Uid>> find_name(const std::string& name) = 0;
};

/// One SQLite file, WAL, synchronous=FULL, held by this process alone (kStoreLocked otherwise).
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& file);
/// Nothing on disk: for tests and load. Keeps the last 256 rows of a conversation and the ids of
/// its last 4,096, which bound what it can recognise as shown.
std::unique_ptr<Store> make_memory_store();

}  // namespace hy::client
