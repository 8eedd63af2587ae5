#pragma once

#include "logic/command/request.h"
#include "logic/ports/account_port.h"

namespace hy::logic {

/// USER_LOOKUP: names to numbers and back. Says who exists, nothing else.
class UserLookup {
 public:
  explicit UserLookup(AccountPort& accounts) : accounts_(accounts) {}
  void run(RequestPtr request, std::string_view body);

 private:
  AccountPort& accounts_;
};

}  // namespace hy::logic
