#include "logic/command/read.h"

#include "common/base/test_hooks.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/domain/conversation_id.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

constexpr Millis kMarkDeadline{2'000};

}  // namespace

void Read::run(RequestPtr request, std::string_view body) {
  pb::ReadRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const auto conversation = conversation_of(in.conversation(), request->uid());
  if (!conversation) return request->refuse(conversation.error());
  if (in.seq() == 0) return request->refuse(Error{Errc::kRangeInvalid, "seq starts at 1"});
  const Uid uid = request->uid();
  const CallContext call = request->call();
  log_.mark_read(uid, *conversation, Seq{in.seq()}, call,
                 [this, conversation = *conversation,
                  request = std::move(request)](Result<ReadMarked> marked) {
                   if (!marked) return refuse_read(*request, marked.error());
                   sync_point("logic.read_marked_before_answer");
                   pb::ReadAnswer answer;
                   answer.set_read_seq(marked->read.value());
                   request->answer(answer.SerializeAsString());
                   if (marked->changed) tell(request->session(), conversation, *marked);
                 });
}

void Read::tell(const SessionInfo& reader, ConversationId conversation, const ReadMarked& marked) {
  // In a group nobody is told: whose messages were read is not known here.
  if (!conversation.is_group()) {
    receipts_.read(conversation, reader.uid, reader.slot, marked.read);
  }
  Delivery delivery;
  delivery.type = kTypeReadMark;
  delivery.body = encode_read_mark(conversation, marked.read, marked.useq);
  delivery.conversation = conversation;
  delivery.sender = reader.uid;
  delivery.targets = {{reader.uid, slots_but(reader.slot)}};
  delivery.deadline = clock_.now() + kMarkDeadline;
  deliverer_.deliver(std::move(delivery));
}

}  // namespace hy::logic
