#include "logic/command/ping.h"

#include "hy/client/v1/login.pb.h"
#include "logic/command/client_proto.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

constexpr std::uint32_t kStoreNormal = 0;
constexpr std::uint32_t kStoreDownMode = 1;

}  // namespace

void Ping::run(RequestPtr request, std::string_view body) {
  pb::PingRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const Uid uid = request->uid();
  counters_.read(uid, [this, uid, request = std::move(request)](std::uint64_t counter) {
    pb::PingAnswer answer;
    answer.set_change_counter(counter);
    answer.set_server_ms(clock_.wall_ms());
    if (deliverer_.pushes_may_be_missing()) {
      const auto span =
          static_cast<std::uint64_t>((options_.poll_max - options_.poll_min).count()) + 1;
      const auto spread = static_cast<std::int64_t>(mix64(uid.value()) % span);
      answer.set_poll_ms(static_cast<std::uint32_t>(options_.poll_min.count() + spread));
    }
    answer.set_store_mode(log_.store_up() ? kStoreNormal : kStoreDownMode);
    request->answer(answer.SerializeAsString());
  });
}

}  // namespace hy::logic
