#pragma once

#include "hy/das/v1/logic_stream.pb.h"
#include "logic/ports/account_port.h"
#include "logic/ports/group_port.h"
#include "logic/ports/message_log_port.h"

/// Domain structs against /hy.das.v1.LogicStream/Data. An answer that lacks its part, or whose ids
/// have the wrong size, is kInternal: das is ours, but a broken peer must not bring logic down.
namespace hy::logic {

Error error_of(const hy::common::v1::Failure& failure);

void encode(const AppendRequest& request, hy::das::v1::Append& out);
Appended appended_of(const hy::das::v1::AppendAnswer& answer);

void encode(const PullQuery& query, hy::das::v1::Pull& out);
void encode(const FindQuery& query, hy::das::v1::FindMessage& out);
void encode(const ConversationsQuery& query, hy::das::v1::ListConversations& out);
void encode(const SignInRequest& request, hy::das::v1::SignIn& out);

PairFacts facts_of(const hy::das::v1::PairFacts& in);
GroupFacts facts_of(hy::das::v1::GroupFacts& in);
Result<GroupChanged> group_changed_of(hy::das::v1::GroupChanged& in);
Result<Slice> slice_of(hy::das::v1::Slice& in);
Result<Found> found_of(hy::das::v1::FoundMessage& in);
Result<Conversations> conversations_of(hy::das::v1::Conversations& in);
std::vector<Account> accounts_of(const hy::das::v1::Accounts& in);
LoginFacts login_facts_of(hy::das::v1::LoginFacts& in);

}  // namespace hy::logic
