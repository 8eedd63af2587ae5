#include "logic/command/block.h"

#include "hy/client/v1/login.pb.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"

namespace hy::logic {
namespace pb = hy::client::v1;

void Block::run(RequestPtr request, std::string_view body) {
  pb::BlockRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const Uid uid = request->uid();
  const Uid peer{in.uid()};
  if (peer.value() == 0) return request->refuse(Error{Errc::kUnknownUser, {}});
  if (peer == uid) return request->refuse(Error{Errc::kSelfSend, "blocking oneself"});
  const ConversationId pair = ConversationId::pair(uid, peer);
  const MonoTime asked_at = clock_.now();
  const CallContext call = request->call();
  relations_.set_block(
      uid, peer, in.blocked(), call,
      [this, pair, asked_at, request = std::move(request)](Result<PairFacts> facts) {
        if (!facts) return refuse_read(*request, facts.error());
        facts_.put(pair, *facts, asked_at);
        request->answer(Bytes{});
      });
}

}  // namespace hy::logic
