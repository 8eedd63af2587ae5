#include "client/load/light_pairs.h"

#include <arpa/inet.h>

#include "client/core/message_id.h"

namespace hy::load {

LightPairs::LightPairs(const crypto::Bytes32& server_key, std::vector<std::pair<Uid, Bytes>> people,
                       Hooks hooks)
    : shared_{.loop = loop_, .random = random_, .listener = *this}, hooks_(std::move(hooks)) {
  shared_.server_key = server_key;
  shared_.sync_at_login = false;
  for (auto& [uid, token] : people) {
    Person& p = people_.emplace_back();
    p.client = std::make_unique<LightClient>(shared_, uid, std::move(token));
    p.client->index = static_cast<std::uint32_t>(people_.size() - 1);
  }
}

void LightPairs::send(std::size_t i, std::string_view body) {
  Person& p = people_[i];
  const auto number = p.first + static_cast<std::uint32_t>(p.sent.size());
  p.sent.push_back(clock_.now());
  ++p.outstanding;
  ++totals_.sent;
  const ClientMsgId id = client::make_message_id(clock_.wall_ms(), random_);
  p.client->send(number, people_[i ^ 1U].client->uid(), as_text(id.bytes), body);
}

void LightPairs::on_open(LightClient& c) {
  ++totals_.logged_in;
  people_[c.index].was_open = true;
  if (hooks_.on_ready) hooks_.on_ready(c.index);
}

void LightPairs::on_reply(LightClient& c, std::uint32_t number, const SendReply& reply) {
  Person& p = people_[c.index];
  const std::uint32_t at = number - p.first;
  if (at >= p.sent.size() || p.sent[at] == MonoTime{}) return;
  const MonoTime sent = std::exchange(p.sent[at], MonoTime{});
  for (; !p.sent.empty() && p.sent.front() == MonoTime{}; ++p.first) p.sent.pop_front();
  --p.outstanding;
  switch (reply.kind) {
    case SendReply::Kind::kRelayed: ++totals_.relayed; return;
    case SendReply::Kind::kRefused:
      ++totals_.refused;
      if (reply.retry_after.count() > 0) ++totals_.refused_with_time;
      totals_.last_refusal = reply.code;
      if (hooks_.on_refused) hooks_.on_refused(c.index);
      return;
    case SendReply::Kind::kStored: break;
  }
  ++totals_.stored;
  if (reply.seq <= p.receipted_to)
    ++totals_.receipted;  // the receipt overtook the answer on another stream
  else
    p.unreceipted.push_back(reply.seq);
  if (hooks_.on_stored) hooks_.on_stored(c.index, sent);
}

void LightPairs::on_push(LightClient& c, std::uint32_t, const PushView& push) {
  Person& p = people_[c.index];
  if (push.sender == c.uid()) return;
  if (push.seq == p.pushed_to)
    ++totals_.twice;
  else if (push.seq < p.pushed_to)
    ++totals_.disorder;
  else
    ++totals_.pushed;
  p.pushed_to = std::max(p.pushed_to, push.seq);
}

void LightPairs::on_receipt(LightClient& c, ConversationId, std::uint64_t up_to, Uid) {
  Person& p = people_[c.index];
  p.receipted_to = std::max(p.receipted_to, up_to);
  for (; !p.unreceipted.empty() && p.unreceipted.front() <= up_to; p.unreceipted.pop_front())
    ++totals_.receipted;
}

void LightPairs::on_closed(LightClient& c, Blame, Errc code) {
  Person& p = people_[c.index];
  ++(p.was_open ? totals_.lost_connections : totals_.login_failed);
  if (code != Errc::kOk) totals_.last_refusal = code;
  p.was_open = false;
  p.outstanding = 0;
  p.sent.clear();
  if (hooks_.on_failed) hooks_.on_failed(c.index);
}

sockaddr_in socket_address(const std::string& text) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  const std::size_t colon = text.rfind(':');
  ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &out.sin_addr);
  out.sin_port = htons(static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1))));
  return out;
}

}  // namespace hy::load
