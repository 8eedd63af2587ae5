#include "client/core/codec.h"

#include <algorithm>
#include <limits>

#include "common/base/limits.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::client {
namespace {

namespace v1 = hy::client::v1;

constexpr std::uint64_t kNumberMax = std::numeric_limits<std::int64_t>::max();
constexpr std::size_t kAddressesMax = 32;
constexpr std::size_t kAddressBytesMax = 108;

template <class T>
Result<T> parse(ByteView body) {
  T message;
  if (body.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return fail(Errc::kMalformedBody);
  }
  return message;
}

bool is_number(std::uint64_t value) {
  return value <= kNumberMax;
}

Result<ConversationId> conversation_of(const std::string& bytes) {
  if (bytes.size() != 16) return fail(Errc::kMalformedBody, "conversation");
  const auto id = ConversationId::from_bytes(bytes);
  if (!is_number(id.hi) || !is_number(id.lo)) return fail(Errc::kMalformedBody, "conversation");
  return id;
}

Result<Message> message_of(v1::Push&& push) {
  Message out;
  HY_TRY(out.conversation, conversation_of(push.conversation()));
  if (push.client_msg_id().size() != 16 || !is_number(push.seq()) || !is_number(push.sender()) ||
      push.body().size() > limits::kMessageBodyBytesMax) {
    return fail(Errc::kMalformedBody, "message");
  }
  // A row is provisional exactly when it has no seq: a seq is given by the commit alone.
  if (push.provisional() != (push.seq() == 0)) return fail(Errc::kMalformedBody, "seq");
  out.seq = Seq{push.seq()};
  out.sender = Uid{push.sender()};
  out.client_msg_id = ClientMsgId::from_bytes(push.client_msg_id());
  out.kind = push.kind();
  out.body = std::move(*push.mutable_body());
  out.server_ms = push.server_ms();
  out.provisional = push.provisional();
  return out;
}

Result<ConversationInfo> info_of(v1::ConversationState&& state) {
  ConversationInfo out;
  HY_TRY(out.conversation, conversation_of(state.conversation()));
  if (!is_number(state.peer()) || !is_number(state.head_seq()) || !is_number(state.read_seq()) ||
      !is_number(state.peer_read_seq()) || !is_number(state.join_seq())) {
    return fail(Errc::kMalformedBody, "conversation state");
  }
  out.peer = Uid{state.peer()};
  out.head = Seq{state.head_seq()};
  out.read = Seq{state.read_seq()};
  out.peer_read = Seq{state.peer_read_seq()};
  out.unread = state.unread();
  out.head_ms = state.head_ms();
  out.group_name = std::move(*state.mutable_group_name());
  out.join = Seq{state.join_seq()};
  if (state.has_last() && state.last().seq() > 0) {
    if (state.last().conversation().empty())
      state.mutable_last()->set_conversation(state.conversation());
    HY_TRY(out.last, message_of(std::move(*state.mutable_last())));
  }
  return out;
}

Millis millis(std::uint32_t ms) {
  return Millis(static_cast<std::int64_t>(ms));
}

template <class List>
std::vector<std::string> addresses(const List& list) {
  std::vector<std::string> out;
  for (const std::string& address : list) {
    if (out.size() == kAddressesMax) break;
    if (!address.empty() && address.size() <= kAddressBytesMax) out.push_back(address);
  }
  return out;
}

}  // namespace

Bytes encode_login(const LoginFields& fields) {
  v1::LoginRequest request;
  if (!fields.token.empty()) {
    request.set_token(fields.token.reveal());
  } else {
    request.set_uid(fields.uid.value());
    request.set_name(fields.name);
    request.set_password(fields.password.reveal());
  }
  request.set_slot(static_cast<std::uint32_t>(fields.slot));
  request.set_device_id(fields.device_id);
  request.set_conn_counter(fields.conn_counter);
  request.set_client_version("hongyan-cpp/0.1");
  request.set_device_name(fields.device_name);
  return request.SerializeAsString();
}

Result<LoginAnswered> decode_login(ByteView body) {
  HY_TRY(auto answer, parse<v1::LoginAnswer>(body));
  if (answer.uid() == 0 || !is_number(answer.uid()) || !is_number(answer.store_epoch()) ||
      !is_number(answer.clock_steps()) || answer.name().size() > limits::kNameBytesMax) {
    return fail(Errc::kMalformedBody, "login answer");
  }
  LoginAnswered out;
  out.uid = Uid{answer.uid()};
  out.name = answer.name();
  out.auth_epoch = answer.auth_epoch();
  out.conn_counter = answer.conn_counter();
  out.session_token = Secret(std::move(*answer.mutable_session_token()));
  out.heartbeat = millis(answer.heartbeat_ms());
  out.storm_window = millis(answer.storm_window_ms());
  out.change_counter = answer.change_counter();
  out.store_epoch = answer.store_epoch();
  out.clock_steps = answer.clock_steps();
  out.entries = addresses(answer.entries());
  out.registration_partial = answer.registration_partial();
  out.ack = {.within = millis(answer.ack_within_ms()),
             .owed_max = answer.ack_owed_max(),
             .bytes_max = answer.ack_owed_bytes_max()};
  return out;
}

Result<Pong> decode_pong(ByteView body) {
  HY_TRY(auto answer, parse<v1::PingAnswer>(body));
  return Pong{answer.change_counter(), millis(answer.poll_ms()), answer.store_mode() != 0};
}

Bytes encode_send(const SendOrder& order) {
  v1::SendRequest request;
  request.set_client_msg_id(order.id.to_bytes());
  if (order.conversation.is_group()) {
    request.set_to_gid(order.conversation.lo);
  } else {
    request.set_to_uid(order.to.value());
  }
  request.set_kind(order.kind);
  request.set_body(order.body);
  if (order.after) request.set_after_client_msg_id(order.after->to_bytes());
  request.set_try_number(order.try_number);
  return request.SerializeAsString();
}

Result<SendOutcome> decode_send(ByteView body) {
  HY_TRY(auto answer, parse<v1::SendAnswer>(body));
  if (answer.ack() != v1::STORED && answer.ack() != v1::RELAYED) {
    return fail(Errc::kMalformedBody, "ack");
  }
  SendOutcome out;
  out.stored = answer.ack() == v1::STORED;
  if (!is_number(answer.seq()) || out.stored != (answer.seq() > 0)) {
    return fail(Errc::kMalformedBody, "seq");
  }
  out.seq = Seq{answer.seq()};
  out.server_ms = answer.server_ms();
  out.repeat = answer.repeat();
  out.recheck_after = millis(answer.recheck_after_ms());
  return out;
}

Result<Message> decode_push(ByteView body) {
  HY_TRY(auto push, parse<v1::Push>(body));
  return message_of(std::move(push));
}

Result<std::vector<ReceiptRow>> decode_receipts(ByteView body) {
  HY_TRY(auto receipts, parse<v1::Receipts>(body));
  std::vector<ReceiptRow> out;
  for (const v1::Receipt& receipt : receipts.receipts()) {
    // A kind that this build does not know says nothing to it.
    if (receipt.kind() != v1::DELIVERED && receipt.kind() != v1::READ_BY) continue;
    ReceiptRow row;
    HY_TRY(row.conversation, conversation_of(receipt.conversation()));
    if (!is_number(receipt.up_to_seq()) || !is_number(receipt.by_uid())) {
      return fail(Errc::kMalformedBody, "receipt");
    }
    row.up_to = Seq{receipt.up_to_seq()};
    row.by = Uid{receipt.by_uid()};
    row.read = receipt.kind() == v1::READ_BY;
    out.push_back(row);
  }
  return out;
}

Bytes encode_sync(std::int64_t since, Useq useq, const std::optional<ConversationId>& page_after) {
  v1::SyncRequest request;
  request.set_since(since);
  request.set_useq(useq.value());
  if (page_after) request.set_page_after(page_after->to_bytes());
  return request.SerializeAsString();
}

Result<SyncAnswered> decode_sync(ByteView body) {
  HY_TRY(auto answer, parse<v1::SyncAnswer>(body));
  if (!is_number(answer.useq()) || !is_number(answer.store_epoch()) ||
      !is_number(answer.clock_steps()) || answer.since() < 0) {
    return fail(Errc::kMalformedBody, "sync answer");
  }
  SyncAnswered out;
  for (v1::ConversationState& state : *answer.mutable_conversations()) {
    HY_TRY(auto info, info_of(std::move(state)));
    out.conversations.push_back(std::move(info));
  }
  if (answer.more() && out.conversations.empty()) return fail(Errc::kMalformedBody, "empty page");
  for (const v1::UserEvent& event : answer.events()) {
    UserEventRow row;
    if (!is_number(event.useq()) || !is_number(event.seq())) {
      return fail(Errc::kMalformedBody, "user event");
    }
    row.useq = Useq{event.useq()};
    if (event.kind() == v1::EVENT_READ) {
      row.kind = UserEventRow::Kind::kRead;
      HY_TRY(row.conversation, conversation_of(event.conversation()));
      row.seq = Seq{event.seq()};
    }
    out.events.push_back(row);
  }
  out.since = answer.since();
  out.useq = Useq{answer.useq()};
  out.more = answer.more();
  out.store_epoch = answer.store_epoch();
  out.clock_steps = answer.clock_steps();
  out.change_counter = answer.change_counter();
  out.too_far = answer.too_far();
  return out;
}

Bytes encode_pull(ConversationId conversation, Seq from, Seq to) {
  v1::PullRequest request;
  request.set_conversation(conversation.to_bytes());
  request.set_from(from.value());
  request.set_to(to.value());
  return request.SerializeAsString();
}

Bytes encode_history(ConversationId conversation, Seq from, Seq to, std::uint32_t last) {
  v1::HistoryRequest request;
  request.set_conversation(conversation.to_bytes());
  request.set_from(from.value());
  request.set_to(to.value());
  request.set_last(last);
  return request.SerializeAsString();
}

Result<PullAnswered> decode_pull(ByteView body) {
  HY_TRY(auto answer, parse<v1::PullAnswer>(body));
  PullAnswered out;
  HY_TRY(out.conversation, conversation_of(answer.conversation()));
  if (!is_number(answer.head_seq()) || !is_number(answer.truncated_to())) {
    return fail(Errc::kMalformedBody, "pull answer");
  }
  for (v1::Push& push : *answer.mutable_messages()) {
    if (push.conversation().empty()) push.set_conversation(answer.conversation());
    HY_TRY(auto message, message_of(std::move(push)));
    if (message.conversation != out.conversation || message.provisional ||
        (!out.messages.empty() && message.seq <= out.messages.back().seq)) {
      return fail(Errc::kMalformedBody, "rows out of order");
    }
    out.messages.push_back(std::move(message));
  }
  out.head = Seq{answer.head_seq()};
  out.more = answer.more();
  out.truncated_to = Seq{answer.truncated_to()};
  return out;
}

Bytes encode_read(ConversationId conversation, Seq seq) {
  v1::ReadRequest request;
  request.set_conversation(conversation.to_bytes());
  request.set_seq(seq.value());
  return request.SerializeAsString();
}

Result<Seq> decode_read(ByteView body) {
  HY_TRY(auto answer, parse<v1::ReadAnswer>(body));
  if (!is_number(answer.read_seq())) return fail(Errc::kMalformedBody, "read_seq");
  return Seq{answer.read_seq()};
}

Result<ReadMarkRow> decode_read_mark(ByteView body) {
  HY_TRY(auto mark, parse<v1::ReadMark>(body));
  ReadMarkRow row;
  HY_TRY(row.conversation, conversation_of(mark.conversation()));
  if (!is_number(mark.read_seq())) return fail(Errc::kMalformedBody, "read_seq");
  row.read = Seq{mark.read_seq()};
  return row;
}

Bytes encode_recents(std::uint32_t limit) {
  v1::RecentsRequest request;
  request.set_limit(limit);
  return request.SerializeAsString();
}

Result<std::vector<ConversationInfo>> decode_recents(ByteView body) {
  HY_TRY(auto answer, parse<v1::RecentsAnswer>(body));
  std::vector<ConversationInfo> out;
  for (v1::ConversationState& state : *answer.mutable_conversations()) {
    HY_TRY(auto info, info_of(std::move(state)));
    out.push_back(std::move(info));
  }
  return out;
}

Bytes encode_lookup(const std::vector<std::string>& names, const std::vector<Uid>& uids) {
  v1::UserLookupRequest request;
  for (const std::string& name : names) request.add_names(name);
  for (const Uid uid : uids) request.add_uids(uid.value());
  return request.SerializeAsString();
}

Result<std::vector<std::pair<Uid, std::string>>> decode_lookup(ByteView body) {
  HY_TRY(auto answer, parse<v1::UserLookupAnswer>(body));
  std::vector<std::pair<Uid, std::string>> out;
  for (const v1::User& user : answer.users()) {
    if (user.uid() == 0 || !is_number(user.uid())) return fail(Errc::kMalformedBody, "uid");
    out.emplace_back(Uid{user.uid()}, user.name());
  }
  return out;
}

Bytes encode_block(Uid uid, bool on) {
  v1::BlockRequest request;
  request.set_uid(uid.value());
  request.set_blocked(on);
  return request.SerializeAsString();
}

Bytes encode_message_state(ConversationId conversation, const ClientMsgId& id, Seq seq) {
  v1::MessageStateRequest request;
  request.set_conversation(conversation.to_bytes());
  if (seq.value() == 0) request.set_client_msg_id(id.to_bytes());
  request.set_seq(seq.value());
  return request.SerializeAsString();
}

Result<std::pair<Message, Seq>> decode_message_state(ByteView body) {
  HY_TRY(auto answer, parse<v1::MessageStateAnswer>(body));
  HY_TRY(auto message, message_of(std::move(*answer.mutable_message())));
  if (!is_number(answer.peer_read_seq())) return fail(Errc::kMalformedBody, "peer_read_seq");
  return std::pair(std::move(message), Seq{answer.peer_read_seq()});
}

Result<GoAwayRow> decode_goaway(ByteView body) {
  HY_TRY(auto notice, parse<v1::GoAway>(body));
  GoAwayRow row;
  if (notice.code() != 0 && notice.code() <= 9'999) row.code = static_cast<Errc>(notice.code());
  row.wait_max = millis(std::min<std::uint32_t>(notice.wait_max_ms(), 3'600'000));
  row.entries = addresses(notice.entries());
  return row;
}

}  // namespace hy::client
