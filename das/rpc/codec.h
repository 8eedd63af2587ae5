#pragma once

#include "das/storage/types.h"
#include "hy/das/v1/logic_stream.pb.h"

/// Envelopes to domain structs and back. Everything from a peer is checked here: numbers that do
/// not fit the store, ids of the wrong length, sizes.
namespace hy::das {
namespace pb = hy::das::v1;

/// Errors: kMalformedBody, kBodyTooLarge. Moves the body out of `in`.
Result<AppendItem> decode(pb::Append& in);

Result<Uid> decode_uid(std::uint64_t value);
Result<Slot> decode_slot(std::uint32_t value);
Result<ConversationId> decode_conversation(const std::string& bytes);
/// Seqs and useqs above 2^63-1 are above every head: cut, not refused.
[[nodiscard]] std::uint64_t cut_number(std::uint64_t value);

void encode(const Error& error, hy::common::v1::Failure& out);
void encode(const Stored& stored, pb::AppendAnswer& out);
void encode(StoredMessage&& message, pb::StoredMessage& out);
void encode(Slice&& slice, pb::Slice& out);
void encode(const PairFacts& facts, pb::PairFacts& out);
void encode(const GroupFacts& facts, pb::GroupFacts& out);
void encode(GroupChanged&& changed, pb::GroupChanged& out);
/// hy.client.v1.GroupEvent: what stands in the body of a message of kind 3.
[[nodiscard]] Bytes group_event_body(const GroupEvent& event);
void encode(ConversationRow&& row, pb::ConversationRow& out);
void encode(const UserEvent& event, pb::UserEventRow& out);

/// At most `bytes_max`; text (kind 1) is cut between characters.
void cut_body(std::uint32_t kind, std::size_t bytes_max, Body& body);

}  // namespace hy::das
