#pragma once

#include <memory>
#include <string>

#include "common/base/secret.h"
#include "common/rpc/stream.h"
#include "hy/logic/v1/admin.pb.h"
#include "logic/ports/account_port.h"
#include "logic/ports/password_port.h"
#include "logic/ports/router_port.h"

namespace hy::logic {

class AuthFence;
class Metrics;
class TokenDesk;
class TraceRing;

/// /hy.logic.v1.Admin/Call: what operators ask. The first batch of a stream proves the operator's
/// token; without it every call is kForbidden and the stream ends. Thread: loop.
class AdminService {
 public:
  using In = hy::logic::v1::AdminBatch;
  using Out = hy::logic::v1::AdminAnswerBatch;
  using Answer = hy::logic::v1::AdminAnswer;
  struct Options {
    std::string instance;
    std::uint64_t incarnation = 0;
    Secret operator_token;  ///< empty: nobody is let in
    Millis call_within{10'000};
  };
  struct Ports {
    AccountPort& accounts;
    PasswordPort& passwords;
    RouterPort& router;
    AuthFence& fence;
    TokenDesk& tokens;
    TraceRing& trace;
    const Clock& clock;
    Metrics& metrics;
  };
  AdminService(const Ports& ports, Options options);
  ~AdminService();

  [[nodiscard]] std::unique_ptr<rpc::Handler<Out, In>> make_handler(rpc::Stream<Out> stream);

 private:
  class Session;
  struct Import;
  using Reply = std::move_only_function<void(Answer)>;

  void call(hy::logic::v1::AdminCall& call, Reply reply);
  void add_users(const hy::logic::v1::AddUsers& in, Reply reply);
  void hash_next(const std::shared_ptr<Import>& import);
  void create(const std::shared_ptr<Import>& import);
  void make_tokens(const hy::logic::v1::MakeTokens& in, Reply reply);
  void find_users(const hy::logic::v1::FindUsers& in, Reply reply);
  void revoke(const hy::logic::v1::RevokeUser& in, Reply reply);
  void trace(const hy::logic::v1::TraceMessage& in, Reply reply);
  [[nodiscard]] CallContext context() const;

  Ports p_;
  Options options_;
};

}  // namespace hy::logic
