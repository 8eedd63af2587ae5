#include "tests/cluster/store_rows.h"

#include <cstring>

#include "client/cli/private_folder.h"
#include "common/sqlite/database.h"
#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/row.h"

namespace hy::chaos {
namespace {

constexpr const char* kMessages =
    "SELECT conv, seq, sender, client_msg_id, body, payload_hash, server_ms, countable FROM "
    "message "
    "ORDER BY conv, seq";
constexpr const char* kHeads = "SELECT conv, head_seq FROM conversation";
constexpr const char* kMembers = "SELECT uid, conv, join_seq, leave_seq, read_seq FROM user_conv";

PayloadHash hash_of(std::string_view bytes) {
  PayloadHash hash{};
  HY_CHECK(bytes.size() == hash.size());
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

}  // namespace

Result<StoredRows> read_embedded(const std::filesystem::path& file) {
  HY_TRY(sqlite::Database db, sqlite::Database::open(file, {.read_only = true, .create = false}));
  StoredRows out;
  {
    HY_TRY(sqlite::Statement rows, db.prepare(kMessages));
    for (;;) {
      HY_TRY(const bool more, rows.step());
      if (!more) break;
      out.messages.push_back({ConversationId::from_bytes(rows.blob(0)),
                              Seq{rows.unsigned_integer(1)}, Uid{rows.unsigned_integer(2)},
                              ClientMsgId::from_bytes(rows.blob(3)), Bytes(rows.blob(4)),
                              hash_of(rows.blob(5)), rows.integer(6), rows.integer(7) != 0});
    }
  }
  HY_TRY(sqlite::Statement heads, db.prepare(kHeads));
  for (;;) {
    HY_TRY(const bool more, heads.step());
    if (!more) break;
    out.heads[ConversationId::from_bytes(heads.blob(0))] = Seq{heads.unsigned_integer(1)};
  }
  HY_TRY(sqlite::Statement members, db.prepare(kMembers));
  for (;;) {
    HY_TRY(const bool more, members.step());
    if (!more) break;
    out.members.push_back({Uid{members.unsigned_integer(0)},
                           ConversationId::from_bytes(members.blob(1)),
                           Seq{members.unsigned_integer(2)}, Seq{members.unsigned_integer(3)},
                           Seq{members.unsigned_integer(4)}});
  }
  return out;
}

Result<StoredRows> read_mysql(const std::filesystem::path& folder) {
  HY_TRY(std::string password, cli::read_file(folder / "mysql.password"));
  while (password.ends_with('\n')) password.pop_back();
  const das::mysql::ConnectOptions options{.address = "unix:" + (folder / "s.sock").string(),
                                           .user = "hongyan",
                                           .password = Secret(password),
                                           .database = "hongyan"};
  HY_TRY(auto connection, das::mysql::Connection::open(options, das::mysql::Use::kRead));
  return das::mysql::guarded(*connection, [&]() -> Result<StoredRows> {
    StoredRows out;
    const auto rows = connection->query(connection->prepared(kMessages));
    while (rows->next()) {
      out.messages.push_back({das::mysql::conv_of(rows->getString(1)), Seq{rows->getUInt64(2)},
                              Uid{rows->getUInt64(3)}, das::mysql::id_of(rows->getString(4)),
                              das::mysql::bytes_of(rows->getString(5)),
                              hash_of(das::mysql::bytes_of(rows->getString(6))), rows->getInt64(7),
                              rows->getInt(8) != 0});
    }
    const auto heads = connection->query(connection->prepared(kHeads));
    while (heads->next())
      out.heads[das::mysql::conv_of(heads->getString(1))] = Seq{heads->getUInt64(2)};
    const auto members = connection->query(connection->prepared(kMembers));
    while (members->next())
      out.members.push_back({Uid{members->getUInt64(1)}, das::mysql::conv_of(members->getString(2)),
                             Seq{members->getUInt64(3)}, Seq{members->getUInt64(4)},
                             Seq{members->getUInt64(5)}});
    return out;
  });
}

}  // namespace hy::chaos
