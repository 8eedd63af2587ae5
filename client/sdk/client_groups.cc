#include <utility>

#include "client/core/codec.h"
#include "client/core/group_codec.h"
#include "client/core/message_id.h"
#include "client/sdk/client_impl.h"
#include "common/crypto/system_random.h"

namespace hy {

Result<Sent> Client::send(Gid to, Bytes body, std::uint32_t kind) {
  return impl_->submit(to, std::move(body), kind);
}

Result<Group> Client::create_group(const std::string& name, const std::vector<Uid>& members) {
  // One id for every try of this call: the request may be asked again on the next connection.
  crypto::SystemRandom random;
  const ClientMsgId creation = client::make_message_id(SystemClock().wall_ms(), random);
  HY_TRY(const Bytes body, impl_->ask(client::Type::kGroupCreate,
                                      client::encode_group_create(name, members, creation)));
  return client::decode_group_create(as_bytes(body));
}

Result<Group> Client::group(Gid gid) {
  HY_TRY(const Bytes body, impl_->ask(client::Type::kGroupInfo, client::encode_group_info(gid)));
  return client::decode_group_info(as_bytes(body));
}

Result<GroupChange> Client::change_group(Gid gid, const std::vector<Uid>& add,
                                         const std::vector<Uid>& remove) {
  HY_TRY(const Bytes body,
         impl_->ask(client::Type::kGroupChange, client::encode_group_change(gid, add, remove)));
  return client::decode_group_change(as_bytes(body));
}

std::vector<MemberReceipt> Client::group_receipts(Gid gid) const {
  std::vector<MemberReceipt> out;
  if (!impl_->opened) return out;
  impl_->on_thread(
      [&] { out = impl_->driver->device().group_receipts().of(ConversationId::group(gid)); });
  return out;
}

}  // namespace hy
