#include "client/cli/session.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace hy::cli {

Result<std::unique_ptr<Session>> Session::open(const Speaker& speaker, Slot usual_slot,
                                               bool is_offline_fine,
                                               const std::function<void(hy::Client&)>& prepare) {
  Slot slot = usual_slot;
  if (!speaker.as.empty()) slot = slot_from_name(speaker.as);
  if (slot == Slot::kNone) {
    return fail(Errc::kUsage, "--as is one of: phone, pad, desktop, web, other");
  }
  std::unique_ptr<Session> s(new Session);
  HY_TRY(s->target_, find_target(speaker.profile));
  HY_TRY(s->person_, find_person(s->target_, speaker.user, slot));
  s->client_ = std::make_unique<hy::Client>(sdk_options(s->target_, s->person_));
  s->names_[s->person_.uid] = s->person_.name;
  if (prepare) prepare(*s->client_);
  const Status in = s->client_->login(credentials(s->person_), speaker.within);
  s->is_online_ = in.has_value();
  if (in) return s;
  const Exit kind = exit_for(in.error().code);
  if (is_offline_fine && kind == Exit::kUnreachable) return s;
  if (kind == Exit::kUnreachable) {
    return fail(Errc::kUnreachableServer, s->target_.name + ": " + in.error().detail);
  }
  return std::unexpected(in.error());
}

Result<Uid> Session::find(const std::string& name_or_number) {
  std::uint64_t number = 0;
  const char* const end = name_or_number.data() + name_or_number.size();
  if (std::from_chars(name_or_number.data(), end, number).ptr == end && number > 0) {
    return Uid{number};
  }
  for (const auto& [uid, name] : names_) {
    if (name == name_or_number) return uid;
  }
  HY_TRY(const auto found, client_->look_up({name_or_number}, {}));
  if (found.empty()) return fail(Errc::kUnknownUser, "\"" + name_or_number + "\"");
  names_[found.front().first] = found.front().second;
  return found.front().first;
}

Result<std::optional<Gid>> parse_group(const std::string& text) {
  constexpr std::string_view kPrefix = "group:";
  if (!text.starts_with(kPrefix)) return std::optional<Gid>();
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + kPrefix.size(), end, number);
  if (error != std::errc() || stop != end || number <= 0) {
    return fail(Errc::kUsage, "\"" + text + "\" is not like group:7 (hy group ls shows them)");
  }
  return std::optional(Gid{static_cast<std::uint64_t>(number)});
}

Result<ConversationId> Session::find_conversation(const std::string& peer) {
  HY_TRY(const auto gid, parse_group(peer));
  if (gid) return ConversationId::group(*gid);
  HY_TRY(const Uid uid, find(peer));
  return ConversationId::pair(client_->uid(), uid);
}

std::string Session::name_of(ConversationId conversation) {
  if (conversation.is_group()) return "group:" + std::to_string(conversation.lo);
  return name_of(conversation.peer_of(client_->uid()));
}

Message Session::readable(Message message) {
  const auto event = group_event_of(message);
  if (!event) return message;
  const auto names = [this](const std::vector<Uid>& uids) {
    std::string out;
    for (const Uid uid : uids) out += (out.empty() ? "" : ", ") + name_of(uid);
    return out;
  };
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!event->created.empty()) add("made the group \"" + event->created + "\"");
  if (!event->added.empty()) add("added " + names(event->added));
  const bool is_leaving = event->removed == std::vector{message.sender};
  if (!event->removed.empty()) add(is_leaving ? "left" : "removed " + names(event->removed));
  if (event->owner.value() > 0 && event->created.empty()) {
    add("the owner is " + name_of(event->owner));
  }
  message.body = "— " + text;
  return message;
}

std::string Session::name_of(Uid uid) {
  if (const auto known = names_.find(uid); known != names_.end()) return known->second;
  std::string name = std::to_string(uid.value());
  if (const auto found = client_->look_up({}, {uid}); found && !found->empty()) {
    name = found->front().second;
  }
  names_[uid] = name;
  return name;
}

void MessageQueue::put(const Message& message) {
  const std::lock_guard lock(mutex_);
  messages_.push_back(message);
  changed_.notify_all();
}

std::optional<Message> MessageQueue::take(MonoTime deadline) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_until(lock, deadline, [this] { return !messages_.empty(); })) {
    return std::nullopt;
  }
  Message first = std::move(messages_.front());
  messages_.pop_front();
  return first;
}

bool MessageQueue::empty() {
  const std::lock_guard lock(mutex_);
  return messages_.empty();
}

}  // namespace hy::cli
