#pragma once

#include "logic/command/request.h"

namespace hy::logic {

/// LOGOUT: an orderly end of this connection. The sign-in itself stays: the device may come back
/// with its token.
class Logout {
 public:
  static void run(RequestPtr request, std::string_view body);
};

}  // namespace hy::logic
