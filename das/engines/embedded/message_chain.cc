#include "das/engines/embedded/message_chain.h"

#include <algorithm>

#include "das/engines/embedded/statements.h"

namespace hy::das::embedded {
namespace {

/// Of the index message_milestone and of sql::kMilestone.
constexpr std::uint64_t kMilestoneEvery = 32;

// The first columns of every statement that reads a row by its id.
constexpr int kConvColumn = 0;
constexpr int kSeqColumn = 1;
constexpr int kPrevColumn = 2;

std::unexpected<Error> broken(std::string_view conv, Seq seq) {
  return fail(Errc::kInternal, "the store's file is damaged: conversation " +
                                   to_hex(as_bytes(conv)) + " has no row of seq " +
                                   std::to_string(seq.value()));
}

}  // namespace

Status MessageChain::read(sqlite::Statement& statement, Place place) const {
  statement.reset();
  statement.bind(1, place.id);
  HY_TRY(const bool row, statement.step());
  if (!row || statement.unsigned_integer(kSeqColumn) != place.seq.value() ||
      statement.blob(kConvColumn) != conv_)
    return broken(conv_, place.seq);
  return {};
}

Result<MessageChain::Place> MessageChain::start(Seq seq) {
  const Seq milestone{(seq.value() + kMilestoneEvery - 1) / kMilestoneEvery * kMilestoneEvery};
  if (milestone >= end_.head) return Place{end_.head, end_.last_id};
  HY_TRY(auto row, db_.prepare(sql::kMilestone));
  row.bind_blob_in_place(1, conv_).bind(2, milestone.value());
  HY_TRY(const bool found, row.step());
  if (!found) return broken(conv_, milestone);
  return Place{milestone, row.integer(0)};
}

Result<MessageChain::Place> MessageChain::find(Seq seq) {
  HY_TRY(Place place, start(seq));
  if (place.seq == seq) return place;
  HY_TRY(auto row, db_.prepare(sql::kChainLink));
  while (place.seq > seq) {
    HY_TRY_VOID(read(row, place));
    place = {Seq{place.seq.value() - 1}, row.integer(kPrevColumn)};
  }
  return place;
}

StoredMessage MessageChain::message_of(const sqlite::Statement& row, std::size_t body_max) const {
  StoredMessage message;
  message.conv = ConversationId::from_bytes(conv_);
  message.seq = Seq{row.unsigned_integer(kSeqColumn)};
  message.sender = Uid{row.unsigned_integer(3)};
  message.client_msg_id = ClientMsgId::from_bytes(row.blob(4));
  message.kind = static_cast<std::uint32_t>(row.integer(5));
  message.server_ms = row.integer(6);
  if (body_max > 0) message.body.bytes = row.blob(7).substr(0, body_max);
  return message;
}

Result<std::vector<StoredMessage>> MessageChain::oldest(Seq from, Seq to, std::size_t bytes_max) {
  struct Link {
    Place place;
    std::size_t bytes = 0;
  };
  // Bodies are read only of what the answer has room for.
  std::vector<Link> links;
  links.reserve(to.value() - from.value() + 1);
  HY_TRY(Place place, find(to));
  {
    HY_TRY(auto row, db_.prepare(sql::kChainLink));
    for (;;) {
      HY_TRY_VOID(read(row, place));
      links.push_back({place, static_cast<std::size_t>(row.integer(3))});
      if (place.seq == from) break;
      place = {Seq{place.seq.value() - 1}, row.integer(kPrevColumn)};
    }
  }
  std::vector<StoredMessage> out;
  std::size_t bytes = 0;
  HY_TRY(auto row, db_.prepare(sql::kChainRow));
  for (auto link = links.rbegin(); link != links.rend(); ++link) {
    bytes += link->bytes;
    if (!out.empty() && bytes > bytes_max) break;
    HY_TRY_VOID(read(row, link->place));
    out.push_back(message_of(row, link->bytes));
  }
  return out;
}

Result<std::vector<StoredMessage>> MessageChain::newest(Seq from, Seq to, std::size_t bytes_max) {
  std::vector<StoredMessage> out;
  std::size_t bytes = 0;
  HY_TRY(Place place, find(to));
  HY_TRY(auto row, db_.prepare(sql::kChainRow));
  for (;;) {
    HY_TRY_VOID(read(row, place));
    bytes += row.blob(7).size();
    if (!out.empty() && bytes > bytes_max) break;
    out.push_back(message_of(row, bytes));
    if (place.seq == from) break;
    place = {Seq{place.seq.value() - 1}, row.integer(kPrevColumn)};
  }
  std::ranges::reverse(out);
  return out;
}

Result<StoredMessage> MessageChain::at(Seq seq, std::size_t body_max) {
  HY_TRY(const Place place, find(seq));
  HY_TRY(auto row, db_.prepare(body_max > 0 ? sql::kChainRow : sql::kChainRowWithoutBody));
  HY_TRY_VOID(read(row, place));
  return message_of(row, body_max);
}

Result<std::uint64_t> MessageChain::ordinal_at(Seq seq) {
  HY_TRY(const Place place, find(seq));
  HY_TRY(auto row, db_.prepare(sql::kChainOrdinal));
  HY_TRY_VOID(read(row, place));
  return row.unsigned_integer(2);
}

}  // namespace hy::das::embedded
