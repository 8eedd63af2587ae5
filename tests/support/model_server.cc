#include "tests/support/model_server.h"

#include <algorithm>

#include "common/wire/hello.h"
#include "common/wire/refused.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/group.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::test {
namespace {

namespace v1 = hy::client::v1;
using client::Type;

template <class T>
T parse(ByteView body) {
  T out;
  HY_CHECK(out.ParseFromArray(body.data(), static_cast<int>(body.size())));
  return out;
}

void fill(v1::Push& push, const ModelServer::Row& row, ConversationId conversation,
          bool provisional) {
  push.set_conversation(conversation.to_bytes());
  push.set_seq(provisional ? 0 : row.seq);
  push.set_sender(row.sender);
  push.set_client_msg_id(row.id.to_bytes());
  push.set_kind(row.kind);
  push.set_body(row.body);
  push.set_server_ms(static_cast<std::int64_t>(row.seq) * 1'000);
  push.set_provisional(provisional);
}

const ModelServer::Row* find_row(const std::vector<ModelServer::Row>& log, std::uint64_t sender,
                                 const ClientMsgId& id) {
  const auto at = std::ranges::find_if(
      log, [&](const ModelServer::Row& row) { return row.sender == sender && row.id == id; });
  return at == log.end() ? nullptr : &*at;
}

}  // namespace

ModelServer::ModelServer(std::uint64_t seed)
    : random_(seed), key_(crypto::X25519KeyPair::generate(random_)) {}

Bytes ModelServer::public_key() const {
  return Bytes(as_text(key_.public_key()));
}

std::shared_ptr<ModelServer::Connection> ModelServer::accept(std::function<void(Bytes)> out,
                                                             std::function<void()> close) {
  auto connection = std::make_shared<Connection>(*this, std::move(out), std::move(close));
  std::erase_if(connections_, [](const auto& c) { return c.expired(); });
  connections_.push_back(connection);
  return connection;
}

ClientMsgId ModelServer::write(Uid from, Uid to, const Bytes& body) {
  Row row{0, from.value(), {}, 1, body};
  random_.fill(row.id.bytes);
  append_and_push(nullptr, ConversationId::pair(from, to), row);
  return row.id;
}

ClientMsgId ModelServer::write(Uid from, Gid to, const Bytes& body) {
  Row row{0, from.value(), {}, 1, body};
  random_.fill(row.id.bytes);
  append_and_push(nullptr, ConversationId::group(to), row);
  return row.id;
}

void ModelServer::change_group(Gid gid, Uid actor, const std::vector<Uid>& add,
                               const std::vector<Uid>& remove, const std::string& name) {
  const auto conversation = ConversationId::group(gid);
  const auto& log = logs[conversation];
  const std::uint64_t seq = log.empty() ? 1 : log.back().seq + 1;
  v1::GroupEvent event;
  if (seq == 1) {
    event.set_created(name);
    spans[conversation][actor.value()] = {seq, 0};
  }
  for (const Uid uid : add) {
    event.add_added(uid.value());
    spans[conversation][uid.value()] = {seq, 0};
  }
  for (const Uid uid : remove) {
    event.add_removed(uid.value());
    spans[conversation][uid.value()].leave = seq + 1;
  }
  Row row{0, actor.value(), {}, kKindGroupEvent, event.SerializeAsString()};
  random_.fill(row.id.bytes);
  append_and_push(nullptr, conversation, row);
}

bool ModelServer::is_for(ConversationId conversation, std::uint64_t seq, Uid uid) const {
  if (!conversation.is_group()) return conversation.has(uid);
  const auto group = spans.find(conversation);
  if (group == spans.end()) return false;
  const auto span = group->second.find(uid.value());
  return span != group->second.end() && span->second.has(seq);
}

void ModelServer::append_and_push(Connection* from, ConversationId conversation, const Row& row) {
  Row stored = row;
  if (!knobs.relays) {
    auto& log = logs[conversation];
    stored.seq = log.empty() ? 1 : log.back().seq + 1;
    log.push_back(stored);
    for (const auto& [name, uid] : names) {
      if (is_for(conversation, stored.seq, uid)) ++counters_[uid.value()];
    }
  }
  const auto all = connections_;
  for (const auto& weak : all) {
    const auto connection = weak.lock();
    if (connection == nullptr || connection.get() == from || connection->is_shut_) continue;
    const Uid uid = connection->uid_;
    if (!is_for(conversation, stored.seq, uid)) continue;
    if (uid.value() == row.sender && !knobs.push_own_devices) continue;
    if (knobs.drop_pushes > 0 && (!knobs.drop_pushes_to || knobs.drop_pushes_to == uid)) {
      --knobs.drop_pushes;
      continue;
    }
    connection->push(stored, conversation, knobs.relays);
  }
}

void ModelServer::goaway(Uid uid, std::uint32_t wait_max_ms) {
  v1::GoAway notice;
  notice.set_code(static_cast<std::uint32_t>(Errc::kDraining));
  notice.set_wait_max_ms(wait_max_ms);
  inject(uid, Type::kGoAway, 0, notice.SerializeAsString());
}

void ModelServer::kick(Uid uid, Errc code) {
  inject(uid, Type::kKicked, 0, wire::encode_refused(Error{code, "test", {}}));
  for (const auto& weak : std::vector(connections_)) {
    const auto connection = weak.lock();
    if (connection != nullptr && connection->uid_ == uid) connection->shut();
  }
}

void ModelServer::hint(Uid uid) {
  inject(uid, Type::kSyncHint, 0, {});
}

void ModelServer::drop_pushes_after_numbering(Uid uid) {
  for (const auto& weak : std::vector(connections_)) {
    const auto connection = weak.lock();
    if (connection != nullptr && connection->uid_ == uid) connection->swallows_next_push_ = true;
  }
}

void ModelServer::inject(Uid uid, std::uint16_t type, std::uint32_t request_id, const Bytes& body) {
  for (const auto& weak : std::vector(connections_)) {
    const auto connection = weak.lock();
    if (connection != nullptr && connection->uid_ == uid) {
      connection->frame(type, 0, request_id, body);
    }
  }
}

void ModelServer::answer_held() {
  if (held_.empty()) return;
  const auto late = std::move(held_.front());
  held_.pop_front();
  late();
}

void ModelServer::close_all() {
  for (const auto& weak : std::vector(connections_)) {
    if (const auto connection = weak.lock()) connection->shut();
  }
}

void ModelServer::Connection::shut() {
  if (std::exchange(is_shut_, true)) return;
  uid_ = Uid{};
  close_();
}

void ModelServer::Connection::received(std::span<std::uint8_t> bytes) {
  const auto self = shared_from_this();
  while (!is_shut_) {
    auto next = decoder_.next(bytes, state_);
    if (!next) return shut();
    if (!*next) return;
    on_frame(**next);
  }
}

void ModelServer::Connection::on_frame(const wire::Frame& f) {
  if (f.header.command == wire::Outer::kHello) {
    const auto hello = wire::parse_hello(f.body);
    if (!hello) return shut();
    suite_ = wire::find_suite(hello->suite);
    prologue_ = wire::hello_prologue(f.header_bytes, f.body);
    const auto own = wire::key_id(server_.key_.public_key());
    if (suite_ == nullptr || hello->key_id != own) return shut();
    state_ = wire::ReadState::kServerHandshake;
    return;
  }
  if (f.header.command == wire::Outer::kHandshake1) {
    wire::NkResponder responder(*suite_, as_bytes(prologue_), server_.key_);
    Bytes payload;
    if (!responder.read_1(f.body, payload)) return shut();
    Bytes message;
    auto transport =
        responder.write_2(crypto::X25519KeyPair::generate(server_.random_), {}, message);
    if (!transport) return shut();
    transport_ = std::move(*transport);
    Bytes out;
    wire::append_frame(wire::Outer::kHandshake2, as_bytes(message), out);
    if (!server_.knobs.is_mute) out_(std::move(out));
    state_ = wire::ReadState::kServerLogin;
    return;
  }
  const auto inner = wire::open_frame(transport_, f, wire::Compression::kAllowed, scratch_);
  if (!inner) return shut();
  if (!server_.knobs.is_mute) on_inner(*inner);
}

void ModelServer::Connection::frame(std::uint16_t type, std::uint16_t flags, std::uint32_t id,
                                    const Bytes& body) {
  if (is_shut_ || !transport_.is_open()) return;
  Bytes out;
  const wire::Inner inner{.type = type, .flags = flags, .request_id = id, .body = as_bytes(body)};
  wire::SealOptions options;
  options.compression = wire::Compression::kAllowed;
  HY_CHECK(wire::seal_frame(transport_, inner, options, out).has_value());
  out_(std::move(out));
}

void ModelServer::Connection::answer(const wire::Inner& request, std::uint16_t flags,
                                     const Bytes& body) {
  const auto type = static_cast<std::uint16_t>(request.type | wire::kTypeAck);
  std::uint32_t none = 0;
  std::uint32_t& held = request.type == Type::kSend   ? server_.knobs.hold_sends
                        : request.type == Type::kPull ? server_.knobs.hold_pulls
                                                      : none;
  if (held == 0) return frame(type, flags, request.request_id, body);
  --held;
  server_.held_.emplace_back([weak = weak_from_this(), type, flags, id = request.request_id, body] {
    if (const auto self = weak.lock()) self->frame(type, flags, id, body);
  });
}

void ModelServer::Connection::refuse(const wire::Inner& request, Errc code, std::uint32_t counter,
                                     std::uint64_t head) {
  const Error error{code, "test", server_.knobs.retry_after};
  answer(request, wire::kFlagRefused, wire::encode_refused(error, counter, head));
}

void ModelServer::Connection::on_inner(const wire::Inner& inner) {
  if (inner.type == Type::kLogin) return on_login(inner);
  if (uid_.value() == 0) return refuse(inner, Errc::kNotLoggedIn);
  switch (inner.type) {
    case Type::kSend: return on_send(inner);
    case Type::kPushAck: on_push_ack(inner.request_id); return answer(inner, {});
    case Type::kSync: return on_sync(inner);
    case Type::kPull: return on_pull(inner, false);
    case Type::kHistory: return on_pull(inner, true);
    case Type::kPing: {
      ++server_.pings_seen;
      v1::PingAnswer pong;
      if (server_.knobs.keeps_change_counter) {
        pong.set_change_counter(server_.counters_[uid_.value()] + 1);
      }
      return answer(inner, pong.SerializeAsString());
    }
    case Type::kRead: {
      ++server_.reads_seen;
      if (server_.knobs.lose_reads > 0) {
        --server_.knobs.lose_reads;
        return;
      }
      if (server_.knobs.refuse_reads > 0) {
        --server_.knobs.refuse_reads;
        return refuse(inner, Errc::kStoreDown);
      }
      v1::ReadAnswer read;
      read.set_read_seq(parse<v1::ReadRequest>(inner.body).seq());
      return answer(inner, read.SerializeAsString());
    }
    case Type::kUserLookup: {
      v1::UserLookupAnswer found;
      for (const auto& name : parse<v1::UserLookupRequest>(inner.body).names()) {
        const auto at = server_.names.find(name);
        if (at == server_.names.end()) continue;
        found.add_users()->set_uid(at->second.value());
        found.mutable_users(found.users_size() - 1)->set_name(name);
      }
      return answer(inner, found.SerializeAsString());
    }
    case Type::kGroupCreate: return on_group_create(inner);
    case Type::kLogout: answer(inner, {}); return shut();
    default: return refuse(inner, Errc::kUnknownCommand);
  }
}

void ModelServer::Connection::on_login(const wire::Inner& inner) {
  const auto request = parse<v1::LoginRequest>(inner.body);
  ++server_.logins_seen;
  server_.conn_counters.push_back(request.conn_counter());
  const auto& set = server_.knobs;
  if (set.refuse_login) return refuse(inner, *set.refuse_login);
  if (set.stale_below && request.conn_counter() < *set.stale_below) {
    return refuse(inner, Errc::kStaleEpoch, *set.stale_below);
  }
  std::string name = request.name();
  if (!request.token().empty()) name = request.token().substr(6);
  const auto account = server_.names.find(name);
  if (account == server_.names.end() || request.password() == "wrong") {
    return refuse(inner, Errc::kPasswordWrong);
  }
  uid_ = account->second;
  state_ = wire::ReadState::kServerOpen;
  v1::LoginAnswer answered;
  answered.set_uid(uid_.value());
  answered.set_name(name);
  answered.set_auth_epoch(1);
  answered.set_conn_counter(request.conn_counter());
  answered.set_heartbeat_ms(set.heartbeat_ms);
  answered.set_ack_within_ms(set.ack_within_ms);
  answered.set_ack_owed_max(set.ack_owed_max);
  answered.set_ack_owed_bytes_max(set.ack_owed_bytes_max);
  answered.set_store_epoch(set.store_epoch);
  if (!request.password().empty()) answered.set_session_token("token-" + name);
  answer(inner, answered.SerializeAsString());
}

void ModelServer::Connection::on_send(const wire::Inner& inner) {
  const auto request = parse<v1::SendRequest>(inner.body);
  auto& set = server_.knobs;
  const std::uint64_t number = ++server_.sends_seen;
  if (const auto refusal = set.refuse_send.find(static_cast<std::uint32_t>(number));
      refusal != set.refuse_send.end()) {
    return refuse(inner, refusal->second);
  }
  if (set.lose_sends > 0) {
    --set.lose_sends;
    return;
  }
  const auto conversation = request.to_gid() != 0
                                ? ConversationId::group(Gid{request.to_gid()})
                                : ConversationId::pair(uid_, Uid{request.to_uid()});
  const auto& before = server_.logs[conversation];
  const std::uint64_t next = before.empty() ? 1 : before.back().seq + 1;
  if (!server_.is_for(conversation, next, uid_)) return refuse(inner, Errc::kNotMember);
  const auto id = ClientMsgId::from_bytes(request.client_msg_id());
  Row row{0, uid_.value(), id, request.kind(), request.body()};
  v1::SendAnswer answered;
  answered.set_conversation(conversation.to_bytes());
  if (set.relays) {
    const bool is_first = server_.relayed_.insert(id).second;
    if (is_first) server_.append_and_push(this, conversation, row);
    answered.set_ack(v1::RELAYED);
    answered.set_recheck_after_ms(2'000);
    return answer(inner, answered.SerializeAsString());
  }
  auto& log = server_.logs[conversation];
  const Row* known = find_row(log, uid_.value(), id);
  answered.set_repeat(known != nullptr);
  if (known == nullptr) {
    if (!request.after_client_msg_id().empty() &&
        find_row(log, uid_.value(), ClientMsgId::from_bytes(request.after_client_msg_id())) ==
            nullptr) {
      return refuse(inner, Errc::kGap);
    }
    server_.append_and_push(this, conversation, row);
    known = &log.back();
  }
  if (set.drop_send_acks > 0) {
    --set.drop_send_acks;
    return;
  }
  answered.set_ack(v1::STORED);
  answered.set_seq(known->seq);
  answer(inner, answered.SerializeAsString());
}

void ModelServer::Connection::on_group_create(const wire::Inner& inner) {
  if (server_.knobs.refuse_groups) return refuse(inner, Errc::kRateLimited);
  const auto request = parse<v1::GroupCreateRequest>(inner.body);
  const Gid gid{server_.spans.size() + 1};
  std::vector<Uid> members;
  for (const std::uint64_t uid : request.members()) members.emplace_back(uid);
  server_.change_group(gid, uid_, members, {}, request.name());
  v1::GroupCreateAnswer out;
  auto* group = out.mutable_group();
  group->set_gid(gid.value());
  group->set_conversation(ConversationId::group(gid).to_bytes());
  group->set_name(request.name());
  for (const auto& [uid, span] : server_.spans[ConversationId::group(gid)]) {
    auto* member = group->add_members();
    member->set_uid(uid);
    member->set_owner(uid == uid_.value());
    member->set_join_seq(span.join);
  }
  answer(inner, out.SerializeAsString());
}

void ModelServer::Connection::push(const Row& row, ConversationId conversation, bool provisional) {
  v1::Push push;
  fill(push, row, conversation, provisional);
  window_[++pushes_] = {conversation, provisional ? 0 : row.seq, row.sender, row.id};
  if (std::exchange(swallows_next_push_, false)) return;
  frame(Type::kPush, 0, pushes_, push.SerializeAsString());
}

void ModelServer::Connection::on_push_ack(std::uint32_t n) {
  acked_ = std::max(acked_, n);
  for (auto at = window_.begin(); at != window_.end() && at->first <= n; at = window_.erase(at)) {
    const Pushed& pushed = at->second;
    if (pushed.seq == 0) continue;
    v1::Receipts receipts;
    auto* receipt = receipts.add_receipts();
    receipt->set_conversation(pushed.conversation.to_bytes());
    receipt->set_up_to_seq(pushed.seq);
    receipt->set_by_uid(uid_.value());
    receipt->set_kind(v1::DELIVERED);
    ++server_.receipts_sent;
    server_.inject(Uid{pushed.sender}, Type::kReceipt, 0, receipts.SerializeAsString());
  }
}

void ModelServer::Connection::on_sync(const wire::Inner& inner) {
  ++server_.syncs_seen;
  if (server_.knobs.refuse_syncs > 0) {
    --server_.knobs.refuse_syncs;
    return refuse(inner, Errc::kOverloaded);
  }
  v1::SyncAnswer out;
  for (const auto& [conversation, log] : server_.logs) {
    if (log.empty()) continue;
    if (conversation.is_group()) {
      const auto span = server_.spans[conversation].find(uid_.value());
      if (span == server_.spans[conversation].end()) continue;
      const auto [join, leave] = span->second;
      auto* state = out.add_conversations();
      state->set_conversation(conversation.to_bytes());
      state->set_head_seq(leave > 0 ? leave - 1 : log.back().seq);
      state->set_group_name("group");
      state->set_join_seq(join);
      continue;
    }
    if (!conversation.has(uid_)) continue;
    auto* state = out.add_conversations();
    state->set_conversation(conversation.to_bytes());
    state->set_peer(conversation.peer_of(uid_).value());
    state->set_head_seq(log.back().seq);
  }
  out.set_since(1);
  out.set_store_epoch(server_.knobs.store_epoch);
  if (server_.knobs.keeps_change_counter) {
    out.set_change_counter(server_.counters_[uid_.value()] + 1);
  }
  answer(inner, out.SerializeAsString());
}

void ModelServer::Connection::on_pull(const wire::Inner& inner, bool is_history) {
  ++server_.pulls_seen;
  const auto request = parse<v1::PullRequest>(inner.body);
  const auto conversation = ConversationId::from_bytes(request.conversation());
  const auto& log = server_.logs[conversation];
  std::uint64_t head = log.empty() ? 0 : log.back().seq;
  Span span;
  if (conversation.is_group()) {
    const auto at = server_.spans[conversation].find(uid_.value());
    if (at == server_.spans[conversation].end()) return refuse(inner, Errc::kNotMember);
    span = at->second;
    if (span.leave > 0) head = std::min(head, span.leave - 1);
  }
  if (!is_history && request.from() > head + 1) {
    return refuse(inner, Errc::kCursorAhead, 0, head);
  }
  v1::PullAnswer out;
  out.set_conversation(request.conversation());
  out.set_head_seq(head);
  if (request.from() < span.join) out.set_truncated_to(span.join - 1);
  const std::uint64_t to = request.to() == 0 ? head : request.to();
  for (const Row& row : log) {
    if (row.seq < request.from() || row.seq > to || !span.has(row.seq)) continue;
    if (static_cast<std::uint32_t>(out.messages_size()) == server_.knobs.slice) {
      out.set_more(true);
      break;
    }
    fill(*out.add_messages(), row, conversation, false);
  }
  answer(inner, out.SerializeAsString());
}

}  // namespace hy::test
