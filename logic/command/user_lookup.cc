#include "logic/command/user_lookup.h"

#include <array>

#include "common/base/limits.h"
#include "hy/client/v1/login.pb.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

constexpr std::array<std::uint32_t, 1> kTextFields{pb::UserLookupRequest::kNamesFieldNumber};

}  // namespace

void UserLookup::run(RequestPtr request, std::string_view body) {
  pb::UserLookupRequest in;
  if (const Status parsed = parse_body(body, in, kTextFields); !parsed) {
    return request->refuse(parsed.error());
  }
  const int asked = in.uids_size() + in.names_size();
  if (asked > static_cast<int>(limits::kIdsPerRequestMax)) {
    return request->refuse(Error{Errc::kRangeInvalid, "at most 500 ids and names together"});
  }
  if (asked == 0) return request->answer(Bytes{});
  std::vector<Uid> uids;
  for (const std::uint64_t uid : in.uids()) uids.emplace_back(uid);
  std::vector<std::string> names;
  for (const std::string& name : in.names()) {
    // Longer than any name can be: nobody has it.
    if (name.size() <= limits::kNameBytesMax) names.push_back(name);
  }
  const CallContext call = request->call();
  accounts_.find(uids, names, call,
                 [request = std::move(request)](Result<std::vector<Account>> found) {
                   if (!found) return refuse_read(*request, found.error());
                   pb::UserLookupAnswer answer;
                   for (const Account& account : *found) {
                     pb::User& user = *answer.add_users();
                     user.set_uid(account.uid.value());
                     user.set_name(account.name);
                   }
                   request->answer(answer.SerializeAsString());
                 });
}

}  // namespace hy::logic
