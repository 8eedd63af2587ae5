#pragma once

#include <memory>
#include <string>
#include <vector>

#include "logic/command/request.h"
#include "logic/domain/grant.h"
#include "logic/domain/token_desk.h"
#include "logic/ports/account_port.h"
#include "logic/ports/message_log_port.h"
#include "logic/ports/password_port.h"
#include "logic/ports/router_port.h"
#include "logic/session/auth_fence.h"
#include "logic/session/change_counters.h"

namespace hy::logic {

/// LOGIN: by token (no store needed) or by uid or name with password (store needed). Nothing is
/// said about which of name and password was wrong, in words or in time.
class Login {
 public:
  struct Options {
    Millis heartbeat_phone{240'000};
    Millis heartbeat_other{60'000};
    Millis storm_window{2'000};
    std::chrono::seconds session_token_life{24 * 3600};
    std::vector<std::string> entries;  ///< told to the device: other addresses of this group
  };
  struct Ports {
    AccountPort& accounts;
    PasswordPort& passwords;
    RouterPort& router;
    MessageLogPort& log;
    AuthFence& fence;
    ChangeCounters& counters;
    const Grants& grants;
    TokenDesk& tokens;
    const Clock& clock;
    Metrics& metrics;
  };
  Login(const Ports& ports, Options options) : p_(ports), options_(std::move(options)) {}
  void run(RequestPtr request, std::string_view body);

 private:
  struct Attempt;
  using AttemptPtr = std::shared_ptr<Attempt>;

  void by_token(const AttemptPtr& attempt);
  void by_password(const AttemptPtr& attempt);
  void verify(const AttemptPtr& attempt, LoginFacts facts);
  void on_verdict(const AttemptPtr& attempt, Uid uid, Result<PasswordPort::Verdict> verdict);
  void sign_in(const AttemptPtr& attempt, Uid uid, Secret rehash);
  /// Of the fence or the counter: the second of them decides.
  void on_answer(const AttemptPtr& attempt);
  /// Lets the session in and says so.
  void open(const AttemptPtr& attempt);
  void refuse(const AttemptPtr& attempt, const Error& error);
  void refuse_store(const AttemptPtr& attempt, const Error& error);

  Ports p_;
  Options options_;
};

}  // namespace hy::logic
