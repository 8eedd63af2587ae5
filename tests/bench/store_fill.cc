#include "tests/bench/store_fill.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "common/base/random.h"
#include "common/sqlite/database.h"

namespace hy::bench {
namespace {

constexpr std::uint64_t kRowsPerCommit = 500'000;
/// As if so many messages had come in each millisecond.
constexpr std::uint64_t kRowsPerMs = 20;

Result<std::vector<std::string>> drop_indexes(sqlite::Database& db) {
  std::vector<std::string> texts;
  std::vector<std::string> names;
  {
    HY_TRY(auto rows, db.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND "
                                 "tbl_name = 'message' AND sql IS NOT NULL"));
    for (;;) {
      HY_TRY(const bool row, rows.step());
      if (!row) break;
      names.emplace_back(rows.text(0));
      texts.emplace_back(rows.text(1));
    }
  }
  for (const std::string& name : names) HY_TRY_VOID(db.exec("DROP INDEX " + name));
  return texts;
}

Status set_heads(sqlite::Database& db, std::uint64_t head, std::int64_t ms) {
  const std::string n = std::to_string(head);
  return db.exec("UPDATE conversation SET head_seq = " + n + ", countable_head = " + n +
                 ", low_last = " + n + ", high_last = " + std::to_string(head - 1) +
                 ", head_ms = " + std::to_string(ms));
}

Status sync_file(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  return done ? Status{} : fail(Errc::kStoreDown, "cannot sync " + file.string());
}

/// Rows were laid down in rounds over the pairs: the last round began after `before` rows.
Status set_last_rows(sqlite::Database& db, std::span<const ConversationId> pairs,
                     std::uint64_t before) {
  HY_TRY_VOID(db.exec("BEGIN"));
  HY_TRY(auto set, db.prepare("UPDATE conversation SET last_id = ?2 WHERE conv = ?1"));
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    set.reset();
    set.bind_blob(1, pairs[i].to_bytes()).bind(2, before + i + 1);
    HY_TRY_VOID(set.run());
  }
  return db.exec("COMMIT");
}

}  // namespace

Status make_pairs_embedded(const std::filesystem::path& file,
                           std::span<const ConversationId> pairs) {
  HY_TRY(auto db, sqlite::Database::open(file));
  HY_TRY_VOID(db.exec("BEGIN"));
  {
    HY_TRY(auto conversation,
           db.prepare("INSERT INTO conversation VALUES (?1, 1, 0, 0, 0, 0, 1, 0, 0, 0)"));
    HY_TRY(auto member, db.prepare("INSERT INTO user_conv VALUES (?2, ?1, 0, 0, 1, 0, 0, 0, 0)"));
    for (const ConversationId& conv : pairs) {
      conversation.reset();
      conversation.bind_blob(1, conv.to_bytes());
      HY_TRY_VOID(conversation.run());
      for (const std::uint64_t uid : {conv.hi, conv.lo}) {
        member.reset();
        member.bind_blob(1, conv.to_bytes()).bind(2, uid);
        HY_TRY_VOID(member.run());
      }
    }
  }
  HY_TRY_VOID(db.exec("COMMIT"));
  return db.checkpoint(true);
}

Status fill_embedded(const std::filesystem::path& file, std::span<const ConversationId> pairs,
                     std::uint64_t per_conversation, std::size_t body_bytes, std::int64_t end_ms) {
  HY_TRY(auto db, sqlite::Database::open(file));
  HY_TRY_VOID(db.exec("PRAGMA synchronous=OFF; PRAGMA cache_size=-1000000; PRAGMA temp_store=2"));
  HY_TRY(const auto indexes, drop_indexes(db));
  SeededRandom random(7);
  const std::uint64_t rows = pairs.size() * per_conversation;
  std::vector<std::uint8_t> bytes(32 + body_bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  {
    HY_TRY(auto insert,
           db.prepare("INSERT INTO message (conv, seq, sender, client_msg_id, payload_hash, kind, "
                      "flags, state, edit_version, countable, ordinal, server_ms, body, prev) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 0, 0, 1, ?2, ?6, ?7, ?8)"));
    HY_TRY_VOID(db.exec("BEGIN"));
    for (std::uint64_t i = 0; i < rows; ++i) {
      const ConversationId& conv = pairs[i % pairs.size()];
      const std::uint64_t seq = i / pairs.size() + 1;
      const std::int64_t ms = end_ms - static_cast<std::int64_t>((rows - i) / kRowsPerMs);
      random.fill(bytes);
      for (std::size_t k = 0; k < 6; ++k)
        bytes[k] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(ms) >> (40 - 8 * k));
      insert.reset();
      insert.bind_blob(1, conv.to_bytes())
          .bind(2, seq)
          .bind(3, seq % 2 == per_conversation % 2 ? conv.hi : conv.lo)
          .bind_blob(4, text.substr(0, 16))
          .bind_blob(5, text.substr(16, 16))
          .bind(6, ms)
          .bind_blob(7, text.substr(32))
          .bind(8, seq == 1 ? 0 : i + 1 - pairs.size());  // the file was empty: ids begin at 1
      HY_TRY_VOID(insert.run());
      if ((i + 1) % kRowsPerCommit == 0) HY_TRY_VOID(db.exec("COMMIT; BEGIN"));
    }
    HY_TRY_VOID(db.exec("COMMIT"));
  }
  for (const std::string& index : indexes) HY_TRY_VOID(db.exec(index));
  HY_TRY_VOID(set_heads(db, per_conversation, end_ms));
  HY_TRY_VOID(set_last_rows(db, pairs, rows - pairs.size()));
  HY_TRY_VOID(db.checkpoint(true));
  // Or the first checkpoint that is measured would carry all of it to the disk.
  return sync_file(file);
}

}  // namespace hy::bench
