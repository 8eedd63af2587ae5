#include "logic/command/logout.h"

namespace hy::logic {

void Logout::run(RequestPtr request, std::string_view /*body*/) {
  Answer answer;
  // What the connection is from now on; the entry sends the answer first.
  answer.close = Errc::kNotLoggedIn;
  request->answer(std::move(answer));
}

}  // namespace hy::logic
