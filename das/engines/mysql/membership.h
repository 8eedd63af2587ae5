#pragma once

#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/groups.h"
#include "das/storage/membership.h"
#include "das/storage/user_log.h"

namespace hy::das::mysql {

/// Who is in a conversation and what they read; contract in das/storage/membership.h.
class MysqlMembership final : public Membership {
 public:
  explicit MysqlMembership(Connection& connection) : connection_(connection) {}
  Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) override;
  Result<PairFacts> set_block(Uid uid, Uid peer, bool on) override;
  Result<GroupChanged> create_group(const NewGroup& group) override {
    return mysql::create_group(connection_, group);
  }
  Result<GroupFacts> group_facts(Gid gid) override { return mysql::group_facts(connection_, gid); }
  Result<GroupChanged> change_group(const GroupChange& change) override {
    return mysql::change_group(connection_, change);
  }
  Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) override;
  Result<ConversationPage> list_conversations(const ListQuery& query) override;

 private:
  struct Pair {
    PairFacts facts;
    bool rows_made = false;
  };
  static void take_facts(const sql::ResultSet& row, Pair& pair);
  Pair read_pair(Uid a, Uid b);
  std::vector<Pair> read_pairs(std::span<const UidPair> pairs);
  void make_rows(Uid a, Uid b);
  void make_rows(std::span<const UidPair> pairs);
  Result<ReadMarked> mark_one(const ReadMark& mark);
  Useq add_event(Uid uid, UserEventKind kind, ConversationId conv, Seq seq, Uid peer, bool on);

  Connection& connection_;
};

/// A person's own events; contract in das/storage/user_log.h.
class MysqlUserLog final : public UserLog {
 public:
  explicit MysqlUserLog(Connection& connection) : connection_(connection) {}
  Result<UserEvents> read(Uid uid, Useq after, std::uint32_t limit) override;

 private:
  Connection& connection_;
};

}  // namespace hy::das::mysql
