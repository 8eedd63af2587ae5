#include <algorithm>
#include <utility>

#include "client/core/codec.h"
#include "client/sdk/client_impl.h"
#include "common/base/limits.h"

namespace hy {
namespace {

/// How long login() waits for the first SYNC after it succeeded.
constexpr std::chrono::milliseconds kSyncWithin{1'000};

}  // namespace

std::string_view step_name(Step step) {
  switch (step) {
    case Step::kQueued: return "queued";
    case Step::kSent: return "sent";
    case Step::kRelayed: return "relayed";
    case Step::kStored: return "stored";
    case Step::kDelivered: return "delivered";
    case Step::kRead: return "read";
    case Step::kRefused: return "refused";
    case Step::kUnsure: return "unsure";
  }
  return "unknown";
}

std::string_view link_state_name(LinkState state) {
  switch (state) {
    case LinkState::kIdle: return "idle";
    case LinkState::kFinding: return "finding";
    case LinkState::kRacing: return "racing";
    case LinkState::kHandshake: return "handshake";
    case LinkState::kLogin: return "login";
    case LinkState::kSyncing: return "syncing";
    case LinkState::kOnline: return "online";
    case LinkState::kMoving: return "moving";
    case LinkState::kBackingOff: return "backing off";
    case LinkState::kStopped: return "stopped";
  }
  return "unknown";
}

ClientMsgId Sent::id() const {
  return state->id;
}
Step Sent::step() const {
  const std::lock_guard lock(state->mutex);
  return state->step;
}
Errc Sent::code() const {
  const std::lock_guard lock(state->mutex);
  return state->code;
}
Seq Sent::seq() const {
  const std::lock_guard lock(state->mutex);
  return state->seq;
}
bool Sent::wait(Step step, std::chrono::milliseconds within) const {
  std::unique_lock lock(state->mutex);
  // On the SDK's own thread nothing can change while we wait.
  if (std::this_thread::get_id() == state->sdk_thread) return state->has_reached(step);
  state->changed.wait_for(lock, within,
                          [&] { return state->has_reached(step) || state->is_over(); });
  return state->has_reached(step);
}

Client::Client(ClientOptions options)
    : impl_(std::make_unique<Impl>(std::move(options), nullptr)) {}
Client::Client(ClientOptions options, Runtime& runtime)
    : impl_(std::make_unique<Impl>(std::move(options), &runtime)) {}
Client::~Client() = default;

void Client::on_message(std::function<void(const Message&)> f) {
  const std::lock_guard lock(impl_->mutex);
  impl_->message_callback = std::move(f);
}
void Client::on_step(std::function<void(const ClientMsgId&, Step, Errc, Seq)> f) {
  const std::lock_guard lock(impl_->mutex);
  impl_->step_callback = std::move(f);
}
void Client::on_state(std::function<void(LinkState, const std::string&)> f) {
  const std::lock_guard lock(impl_->mutex);
  impl_->state_callback = std::move(f);
}
void Client::on_ladder(std::function<void(const LadderEvent&)> f) {
  const bool is_wanted = static_cast<bool>(f);
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->ladder_callback = std::move(f);
  }
  impl_->on_thread([&] { impl_->driver->want_ladder(is_wanted); });
}

void Client::on_group_receipt(std::function<void(Gid, const MemberReceipt&)> f) {
  const std::lock_guard lock(impl_->mutex);
  impl_->group_receipt_callback = std::move(f);
}

Status Client::login(Credentials credentials, std::chrono::milliseconds within) {
  if (!impl_->opened) return impl_->opened;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->login_ended = false;
  }
  client::Identity identity{credentials.name, credentials.uid,
                            Secret(std::move(credentials.password)),
                            Secret(std::move(credentials.token))};
  impl_->on_thread([&] { impl_->driver->login(std::move(identity)); });
  if (impl_->is_here()) return {};
  std::unique_lock lock(impl_->mutex);
  if (!impl_->changed.wait_for(lock, within, [&] { return impl_->login_ended; })) {
    return fail(Errc::kTimedOut, impl_->link_why);
  }
  // The first SYNC takes a moment more; most callers want to find the device online.
  if (impl_->login_status) {
    impl_->changed.wait_for(lock, std::min<std::chrono::milliseconds>(within, kSyncWithin),
                            [&] { return impl_->link != LinkState::kSyncing; });
  }
  return impl_->login_status;
}

void Client::logout() {
  if (!impl_->opened) return;
  impl_->on_thread([&] {
    (void)impl_->driver->run(
        [](client::Device& d, client::Turn& turn, MonoTime now) { d.logout(turn, now); });
  });
}

LinkState Client::state() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->link;
}
Uid Client::uid() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->uid;
}
Bytes Client::session_token() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->token;
}
std::string Client::entry() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->entry;
}

Result<Sent> Client::send(Uid to, Bytes body, std::uint32_t kind) {
  return impl_->submit(to, std::move(body), kind);
}

Result<Sent> Client::send(const std::string& to_name, Bytes body, std::uint32_t kind) {
  if (!impl_->opened) return std::unexpected(impl_->opened.error());
  Result<std::optional<Uid>> known = std::optional<Uid>{};
  impl_->on_thread([&] { known = impl_->driver->store().find_name(to_name); });
  if (known && *known) return impl_->submit(**known, std::move(body), kind);
  HY_TRY(const auto users, look_up({to_name}, {}));
  if (users.empty()) return fail(Errc::kUnknownUser, to_name);
  return impl_->submit(users.front().first, std::move(body), kind);
}

Status Client::retry(const ClientMsgId& id) {
  Status out = fail(Errc::kStoreDown);
  impl_->on_thread([&] {
    const Status ran = impl_->driver->run(
        [&](client::Device& d, client::Turn& turn, MonoTime now) { out = d.retry(turn, now, id); });
    if (!ran) out = ran;
  });
  return out;
}

Status Client::drop(const ClientMsgId& id) {
  Status out = fail(Errc::kStoreDown);
  impl_->on_thread([&] {
    const Status ran = impl_->driver->run(
        [&](client::Device& d, client::Turn& turn, MonoTime) { out = d.drop(turn, id); });
    if (!ran) out = ran;
  });
  return out;
}

std::vector<std::pair<Message, Step>> Client::outbox() const {
  std::vector<std::pair<Message, Step>> out;
  if (!impl_->opened) return out;
  impl_->on_thread([&] {
    const client::Device& device = impl_->driver->device();
    for (client::OutboxRecord& record : device.outbox().items()) {
      Message message;
      message.conversation = record.conversation;
      message.sender = device.record().uid;
      message.client_msg_id = record.id;
      message.kind = record.kind;
      message.body = std::move(record.body);
      message.mine = true;
      out.emplace_back(std::move(message), record.step);
    }
  });
  return out;
}

Status Client::mark_read(ConversationId conversation, Seq seq) {
  Status out = impl_->opened;
  if (!out) return out;
  bool is_asked = false;
  // A value that no READ ends with marks the wait.
  const Status waiting = fail(Errc::kTimedOut, "no answer");
  impl_->on_thread([&] {
    {
      const std::lock_guard lock(impl_->mutex);
      impl_->reads_ended[conversation] = waiting;
    }
    out = impl_->driver->run([&](client::Device& d, client::Turn&, MonoTime now) {
      d.mark_read(now, conversation, seq);
      const auto* record = d.inbox().find(conversation);
      is_asked = d.link().is_open() && record != nullptr && record->read < record->read_wanted;
    });
  });
  // Offline the mark is on disk and goes out with the next login.
  std::unique_lock lock(impl_->mutex);
  if (out && is_asked && !impl_->is_here()) {
    const auto has_ended = [&] {
      const Status& ended = impl_->reads_ended[conversation];
      return ended.has_value() || ended.error().code != Errc::kTimedOut;
    };
    impl_->changed.wait_for(lock, std::chrono::seconds(10), has_ended);
    out = impl_->reads_ended[conversation];
  }
  impl_->reads_ended.erase(conversation);
  return out;
}

Result<std::vector<Message>> Client::history(ConversationId conversation, Seq from, Seq to,
                                             std::uint32_t last) {
  if (!impl_->opened) return std::unexpected(impl_->opened.error());
  // The device's own rows answer when its run covers the range; the server's log otherwise.
  std::optional<std::vector<Message>> own;
  Uid self{};
  impl_->on_thread([&] {
    const client::Device& device = impl_->driver->device();
    self = device.record().uid;
    const client::ConversationRecord* record = device.inbox().find(conversation);
    if (record == nullptr) return;
    const bool is_current = device.is_up_to_date() || !device.link().is_open();
    if (to.value() == 0 && !is_current) return;
    const Seq end = to.value() == 0 ? record->have : to;
    const std::uint64_t count = record->have.value() - record->base.value();
    const bool covers = end <= record->have &&
                        (last > 0 ? end == record->have && count >= last : from > record->base);
    if (!covers && !(record->base.value() == 0 && end <= record->have)) return;
    auto rows = impl_->driver->store().rows(conversation, last > 0 ? Seq{1} : from, end, last);
    const std::uint64_t wanted =
        last > 0
            ? std::min<std::uint64_t>({last, end.value(), limits::kSliceMessagesMax})
            : std::min<std::uint64_t>(end.value() + 1 - std::max<std::uint64_t>(from.value(), 1),
                                      limits::kSliceMessagesMax);
    if (rows && (end < from || rows->size() == wanted)) own = std::move(*rows);
  });
  std::vector<Message> out;
  if (own) {
    out = std::move(*own);
  } else {
    HY_TRY(const Bytes body, impl_->ask(client::Type::kHistory,
                                        client::encode_history(conversation, from, to, last)));
    HY_TRY(auto answer, client::decode_pull(as_bytes(body)));
    out = std::move(answer.messages);
  }
  for (Message& message : out) message.mine = message.sender == self;
  return out;
}

Result<std::vector<ConversationInfo>> Client::recents(std::uint32_t limit) {
  HY_TRY(const Bytes body,
         impl_->ask(client::Type::kRecents, client::encode_recents(std::clamp(limit, 1U, 200U))));
  HY_TRY(auto infos, client::decode_recents(as_bytes(body)));
  const Uid self = uid();
  for (ConversationInfo& info : infos) {
    if (info.last) info.last->mine = info.last->sender == self;
  }
  return infos;
}

Result<std::vector<std::pair<Uid, std::string>>> Client::look_up(
    const std::vector<std::string>& names, const std::vector<Uid>& uids) {
  HY_TRY(const Bytes body,
         impl_->ask(client::Type::kUserLookup, client::encode_lookup(names, uids)));
  HY_TRY(auto users, client::decode_lookup(as_bytes(body)));
  impl_->keep_names(users);
  return users;
}

Status Client::block(Uid uid, bool on) {
  HY_TRY(const Bytes body, impl_->ask(client::Type::kBlock, client::encode_block(uid, on)));
  return {};
}

Result<std::pair<Message, Seq>> Client::message_state(ConversationId conversation,
                                                      const ClientMsgId& id, Seq seq) {
  HY_TRY(const Bytes body, impl_->ask(client::Type::kMessageState,
                                      client::encode_message_state(conversation, id, seq)));
  HY_TRY(auto state, client::decode_message_state(as_bytes(body)));
  state.first.mine = state.first.sender == uid();
  return state;
}

Status Client::sync() {
  return impl_->wait_up_to_date();
}

void Client::unplug(bool unplugged) {
  impl_->on_thread([&] { impl_->driver->unplug(unplugged); });
}

void Client::drop_connection() {
  if (!impl_->opened) return;
  impl_->on_thread([&] { impl_->driver->drop_connection(); });
}

}  // namespace hy
