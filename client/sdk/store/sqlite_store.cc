#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client/sdk/store/statements.h"
#include "client/sdk/store/store.h"
#include "common/base/limits.h"
#include "common/base/test_hooks.h"
#include "common/sqlite/database.h"

namespace hy::client {
namespace {

using sqlite::Database;
using sqlite::Statement;
using sqlite::Transaction;

/// Held as long as the store is open: a second process on the same file would send each message of
/// the outbox as well.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(Errc::kStoreDown, "cannot open " + file);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      return fail(Errc::kStoreLocked, file + ": another process uses it");
    }
    return FileLock(fd);
  }
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  int fd_;
};

class SqliteStore final : public Store {
 public:
  SqliteStore(FileLock lock, Database database)
      : lock_(std::move(lock)), database_(std::move(database)) {}

  Status make_schema() {
    HY_TRY(const auto version, database_.query_integer("PRAGMA user_version"));
    if (version.value_or(0) > sql::kSchemaVersion) return fail(Errc::kSchemaTooNew);
    if (version.value_or(0) == sql::kSchemaVersion) return {};
    HY_TRY(auto transaction, Transaction::begin(database_));
    HY_TRY_VOID(database_.exec(sql::kSchema));
    HY_TRY_VOID(database_.exec("PRAGMA user_version = " + std::to_string(sql::kSchemaVersion)));
    return transaction.commit();
  }

  Result<Snapshot> load() override;

  Result<std::vector<RowFate>> apply(std::span<const Write> writes) override {
    std::vector<RowFate> fates;
    if (writes.empty()) return fates;
    HY_TRY(auto transaction, Transaction::begin(database_));
    for (const Write& write : writes) {
      HY_TRY_VOID(std::visit([&](const auto& w) { return put(w, fates); }, write));
    }
    sync_point("sdk.store_before_commit");
    HY_TRY_VOID(transaction.commit());
    return fates;
  }

  Result<std::vector<Message>> rows(ConversationId conversation, Seq from, Seq to,
                                    std::uint32_t last) override;

  Result<std::optional<Uid>> find_name(const std::string& name) override {
    HY_TRY(auto find, database_.prepare(sql::kFindName));
    find.bind(1, std::string_view(name));
    HY_TRY(const bool has_row, find.step());
    if (!has_row) return std::optional<Uid>{};
    return std::optional(Uid{find.unsigned_integer(0)});
  }

 private:
  Status put(const PutDevice& w, std::vector<RowFate>&) {
    const DeviceRecord& r = w.record;
    HY_TRY(auto put, database_.prepare(sql::kPutDevice));
    put.bind(1, r.uid.value()).bind(2, std::string_view(r.name));
    put.bind(3, std::string_view(r.device_id)).bind_blob(4, r.token.reveal());
    put.bind(5, r.auth_epoch).bind(6, r.conn_counter).bind(7, r.since).bind(8, r.useq.value());
    put.bind(9, r.store_epoch).bind(10, r.clock_steps).bind(11, std::string_view(r.last_entry));
    return put.run();
  }
  Status put(const PutOutbox& w, std::vector<RowFate>&) {
    const OutboxRecord& r = w.record;
    HY_TRY(auto put, database_.prepare(sql::kPutOutbox));
    const Bytes id = r.id.to_bytes();
    const Bytes conversation = r.conversation.to_bytes();
    put.bind_blob(1, id).bind(2, r.order).bind_blob(3, conversation).bind(4, r.to.value());
    put.bind(5, r.kind).bind_blob(6, r.body).bind(7, r.created_ms);
    put.bind(8, static_cast<int>(r.step)).bind(9, static_cast<int>(r.code));
    return put.run();
  }
  Status put(const SetOutboxStep& w, std::vector<RowFate>&) {
    HY_TRY(auto set, database_.prepare(sql::kSetOutboxStep));
    set.bind_blob(1, w.id.to_bytes());
    set.bind(2, static_cast<int>(w.step)).bind(3, static_cast<int>(w.code));
    return set.run();
  }
  Status put(const DropOutbox& w, std::vector<RowFate>&) {
    HY_TRY(auto drop, database_.prepare(sql::kDropOutbox));
    drop.bind_blob(1, w.id.to_bytes());
    return drop.run();
  }
  Status put(const PutConversation& w, std::vector<RowFate>&) {
    const ConversationRecord& r = w.record;
    HY_TRY(auto put, database_.prepare(sql::kPutConversation));
    put.bind_blob(1, r.conversation.to_bytes()).bind(2, r.base.value()).bind(3, r.have.value());
    put.bind(4, r.head.value()).bind(5, r.head_ms).bind(6, r.read.value());
    put.bind(7, r.read_wanted.value()).bind(8, r.peer_read.value());
    put.bind(9, r.peer_delivered.value());
    return put.run();
  }
  Status put(const ForgetSeqs& w, std::vector<RowFate>&) {
    HY_TRY(auto forget, database_.prepare(sql::kForgetSeqs));
    forget.bind_blob(1, w.conversation.to_bytes());
    return forget.run();
  }
  Status put(const PutName& w, std::vector<RowFate>&) {
    HY_TRY(auto put, database_.prepare(sql::kPutName));
    put.bind(1, std::string_view(w.name)).bind(2, w.uid.value());
    return put.run();
  }
  Status put(const PutRow& w, std::vector<RowFate>& fates);
  Status free_seq(const Bytes& conversation, Seq seq);

  FileLock lock_;
  Database database_;
};

Status SqliteStore::free_seq(const Bytes& conversation, Seq seq) {
  HY_TRY(auto free, database_.prepare(sql::kFreeSeq));
  free.bind_blob(1, conversation).bind(2, seq.value());
  return free.run();
}

Status SqliteStore::put(const PutRow& w, std::vector<RowFate>& fates) {
  const Message& m = w.message;
  const Bytes conversation = m.conversation.to_bytes();
  const Bytes id = m.client_msg_id.to_bytes();
  std::optional<std::int64_t> row;
  bool has_seq = false;
  bool was_provisional = false;
  {
    HY_TRY(auto find, database_.prepare(sql::kFindRow));
    find.bind_blob(1, conversation).bind(2, m.sender.value()).bind_blob(3, id);
    HY_TRY(const bool has_row, find.step());
    if (has_row) {
      row = find.integer(0);
      has_seq = !find.is_null(1);
      was_provisional = find.integer(2) != 0;
    }
  }
  if (row && (m.provisional || has_seq)) {
    fates.push_back(mutant(Mutant::kPushShownTwice) ? RowFate::kNew : RowFate::kKnown);
    return {};
  }
  if (!m.provisional) HY_TRY_VOID(free_seq(conversation, m.seq));
  if (row) {
    HY_TRY(auto move, database_.prepare(sql::kMoveRow));
    move.bind(1, *row).bind(2, m.seq.value()).bind(3, m.server_ms);
    fates.push_back(was_provisional ? RowFate::kMoved : RowFate::kKnown);
    return move.run();
  }
  HY_TRY(auto insert, database_.prepare(sql::kInsertRow));
  insert.bind_blob(1, conversation);
  if (m.provisional) {
    insert.bind_null(2);
  } else {
    insert.bind(2, m.seq.value());
  }
  insert.bind(3, m.sender.value()).bind_blob(4, id).bind(5, m.kind).bind_blob(6, m.body);
  insert.bind(7, m.server_ms).bind(8, m.provisional ? 1 : 0);
  fates.push_back(RowFate::kNew);
  return insert.run();
}

Result<Snapshot> SqliteStore::load() {
  Snapshot out;
  {
    HY_TRY(auto get, database_.prepare(sql::kGetDevice));
    HY_TRY(const bool has_row, get.step());
    if (has_row) {
      DeviceRecord& r = out.device;
      r.uid = Uid{get.unsigned_integer(0)};
      r.name = std::string(get.text(1));
      r.device_id = std::string(get.text(2));
      r.token = Secret(std::string(get.blob(3)));
      r.auth_epoch = static_cast<std::uint32_t>(get.integer(4));
      r.conn_counter = static_cast<std::uint32_t>(get.integer(5));
      r.since = get.integer(6);
      r.useq = Useq{get.unsigned_integer(7)};
      r.store_epoch = get.unsigned_integer(8);
      r.clock_steps = get.unsigned_integer(9);
      r.last_entry = std::string(get.text(10));
    }
  }
  {
    HY_TRY(auto get, database_.prepare(sql::kGetConversations));
    for (;;) {
      HY_TRY(const bool has_row, get.step());
      if (!has_row) break;
      if (get.blob(0).size() != 16) return fail(Errc::kSchemaBroken, "conversation");
      ConversationRecord r;
      r.conversation = ConversationId::from_bytes(get.blob(0));
      r.base = Seq{get.unsigned_integer(1)};
      r.have = Seq{get.unsigned_integer(2)};
      r.head = Seq{get.unsigned_integer(3)};
      r.head_ms = get.integer(4);
      r.read = Seq{get.unsigned_integer(5)};
      r.read_wanted = Seq{get.unsigned_integer(6)};
      r.peer_read = Seq{get.unsigned_integer(7)};
      r.peer_delivered = Seq{get.unsigned_integer(8)};
      out.conversations.push_back(r);
    }
  }
  HY_TRY(auto get, database_.prepare(sql::kGetOutbox));
  for (;;) {
    HY_TRY(const bool has_row, get.step());
    if (!has_row) return out;
    if (get.blob(0).size() != 16 || get.blob(2).size() != 16) {
      return fail(Errc::kSchemaBroken, "outbox");
    }
    OutboxRecord r;
    r.id = ClientMsgId::from_bytes(get.blob(0));
    r.order = get.unsigned_integer(1);
    r.conversation = ConversationId::from_bytes(get.blob(2));
    r.to = Uid{get.unsigned_integer(3)};
    r.kind = static_cast<std::uint32_t>(get.integer(4));
    r.body = Bytes(get.blob(5));
    r.created_ms = get.integer(6);
    r.step = static_cast<Step>(get.integer(7));
    r.code = static_cast<Errc>(get.integer(8));
    out.outbox.push_back(std::move(r));
  }
}

Result<std::vector<Message>> SqliteStore::rows(ConversationId conversation, Seq from, Seq to,
                                               std::uint32_t last) {
  std::vector<Message> out;
  HY_TRY(auto get, database_.prepare(last > 0 ? sql::kGetRows : sql::kGetRowsFirst));
  const std::uint32_t limit =
      last > 0 ? std::min(last, limits::kSliceMessagesMax) : limits::kSliceMessagesMax;
  get.bind_blob(1, conversation.to_bytes()).bind(2, from.value()).bind(3, to.value());
  get.bind(4, limit);
  for (;;) {
    HY_TRY(const bool has_row, get.step());
    if (!has_row) break;
    if (get.blob(2).size() != 16) return fail(Errc::kSchemaBroken, "message");
    Message m;
    m.conversation = conversation;
    m.seq = Seq{get.unsigned_integer(0)};
    m.sender = Uid{get.unsigned_integer(1)};
    m.client_msg_id = ClientMsgId::from_bytes(get.blob(2));
    m.kind = static_cast<std::uint32_t>(get.integer(3));
    m.body = Bytes(get.blob(4));
    m.server_ms = get.integer(5);
    out.push_back(std::move(m));
  }
  if (last > 0) std::ranges::reverse(out);
  return out;
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& file) {
  HY_TRY(auto lock, FileLock::take(file + ".lock"));
  HY_TRY(auto database, Database::open(file));
  auto store = std::make_unique<SqliteStore>(std::move(lock), std::move(database));
  HY_TRY_VOID(store->make_schema());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace hy::client
