#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "das/storage/login_rules.h"
#include "das/storage/types.h"

/// The rows of the model store, and a transaction over them. Ordered containers alone: nothing may
/// depend on addresses or hash seeds.
namespace hy::sim {

struct ConversationState {
  std::uint64_t head_seq = 0;
  std::uint64_t countable_head = 0;
  std::int64_t head_ms = 0;
  std::uint64_t member_version = 0;
  std::uint64_t low_last = 0;  ///< last seq of the smaller uid
  std::uint64_t high_last = 0;
};

struct LogRow {
  std::uint64_t seq = 0;
  Uid sender;
  ClientMsgId client_msg_id;
  PayloadHash payload_hash{};
  std::uint32_t kind = 0;
  bool countable = true;
  std::uint64_t ordinal = 0;  ///< countable messages up to and with this one
  std::int64_t server_ms = 0;
  Bytes body;
};

/// One conversation's rows, ascending seq, with the unique key beside them.
struct ConversationLog {
  std::vector<LogRow> rows;
  std::map<std::pair<Uid, ClientMsgId>, std::uint64_t> seq_of;  ///< the first row of an id

  /// First row with seq >= `seq`.
  [[nodiscard]] std::vector<LogRow>::const_iterator from(std::uint64_t seq) const;
  [[nodiscard]] const LogRow* at(std::uint64_t seq) const;
  [[nodiscard]] const LogRow* find(Uid sender, const ClientMsgId& id) const;
};

struct UserConvState {
  std::uint64_t join_seq = 0;
  std::uint64_t leave_seq = 0;  ///< 0: still a member
  std::uint64_t visible_from = 1;
  std::uint64_t read_seq = 0;
  std::uint64_t cleared_to = 0;
};

struct UserState {
  std::string name;
  std::uint64_t useq_head = 0;
};

struct AuthSlotState {
  std::uint32_t auth_epoch = 1;
  std::string device_id;  ///< empty: nobody
};

struct DeviceState {
  Slot slot{};
  std::string name;
  std::int64_t last_login_ms = 0;
};

struct GroupState {
  std::string name;
};

struct GroupMemberState {
  bool owner = false;
  std::uint64_t join_seq = 0;
  std::uint64_t leave_seq = 0;  ///< 0: is in
};

struct StoreRow {
  std::uint64_t store_epoch = 0;
  std::uint64_t clock_steps = 0;
  std::int64_t beat_ms = 0;
  std::uint64_t next_uid = 1;
};

struct Tables {
  std::map<ConversationId, ConversationState> conversations;
  std::map<ConversationId, ConversationLog> logs;
  std::map<std::pair<Uid, ConversationId>, UserConvState> user_convs;
  std::map<Uid, UserState> users;
  std::map<std::string, Uid> names;
  std::map<std::pair<Uid, Useq>, das::UserEvent> events;
  std::map<Uid, std::string> credentials;
  std::map<std::string, das::LoginGuard> guards;
  std::map<std::pair<Uid, std::uint8_t>, AuthSlotState> auth_slots;
  std::map<std::pair<Uid, std::string>, DeviceState> devices;
  std::map<std::pair<Uid, Uid>, std::int64_t> blacklist;  ///< (who, whom) -> since
  std::map<Gid, GroupState> groups;
  std::map<std::pair<Gid, Uid>, GroupMemberState> group_members;
  std::map<std::pair<Uid, ClientMsgId>, Gid> group_creations;
  StoreRow store;
  std::uint64_t last_gid = 0;  ///< given, for good: no transaction takes it back
};

/// One table as a transaction sees it: its own changes over what is committed.
template <class Key, class Row>
class Cell {
 public:
  explicit Cell(std::map<Key, Row>& base) : base_(&base) {}
  [[nodiscard]] const Row* find(const Key& key) const {
    if (const auto it = changes_.find(key); it != changes_.end())
      return it->second ? &*it->second : nullptr;
    const auto it = base_->find(key);
    return it == base_->end() ? nullptr : &it->second;
  }
  [[nodiscard]] Row get(const Key& key) const {
    const Row* row = find(key);
    return row == nullptr ? Row{} : *row;
  }
  void put(const Key& key, Row row) { changes_[key] = std::move(row); }
  void erase(const Key& key) { changes_[key] = std::nullopt; }
  void apply() {
    for (auto& [key, row] : changes_) {
      if (row)
        (*base_)[key] = std::move(*row);
      else
        base_->erase(key);
    }
    changes_.clear();
  }
  void forget() { changes_.clear(); }

 private:
  std::map<Key, Row>* base_;
  std::map<Key, std::optional<Row>> changes_;
};

/// What one transaction wants to change. Nothing of it is seen by others before apply().
class Transaction {
 public:
  explicit Transaction(Tables& tables);

  Cell<ConversationId, ConversationState> conversations;
  Cell<std::pair<Uid, ConversationId>, UserConvState> user_convs;
  Cell<Uid, UserState> users;
  Cell<std::string, Uid> names;
  Cell<std::pair<Uid, Useq>, das::UserEvent> events;
  Cell<Uid, std::string> credentials;
  Cell<std::string, das::LoginGuard> guards;
  Cell<std::pair<Uid, std::uint8_t>, AuthSlotState> auth_slots;
  Cell<std::pair<Uid, std::string>, DeviceState> devices;
  Cell<std::pair<Uid, Uid>, std::int64_t> blacklist;
  Cell<Gid, GroupState> groups;
  Cell<std::pair<Gid, Uid>, GroupMemberState> group_members;
  Cell<std::pair<Uid, ClientMsgId>, Gid> group_creations;
  std::optional<StoreRow> store;

  void insert(const ConversationId& conv, LogRow row);
  /// By the unique key, own inserts included.
  [[nodiscard]] const LogRow* find_message(const ConversationId& conv, Uid sender,
                                           const ClientMsgId& id) const;
  [[nodiscard]] StoreRow store_row() const { return store.value_or(tables_->store); }

  /// Rows that this transaction holds; others wait for its end.
  std::vector<ConversationId> locked_conversations;
  std::vector<Uid> locked_users;

  /// COMMIT took effect.
  void apply();
  /// ROLLBACK took effect.
  void forget();
  [[nodiscard]] Tables& tables() const { return *tables_; }

 private:
  Tables* tables_;
  std::vector<std::pair<ConversationId, LogRow>> inserts_;
};

/// A row of list_conversations, unread computed as das promises it. Precondition: both rows exist.
das::ConversationRow conversation_row(const Tables& tables, Uid uid, const ConversationId& conv,
                                      std::uint32_t body_max);

}  // namespace hy::sim
