#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::cli {

struct Account;
struct ClusterLayout;

/// How an operator reaches a cluster: the address of a logic, and the file with the operator's
/// token.
struct OperatorAccess {
  std::vector<std::string> logics;  ///< tried in turn
  std::filesystem::path token_file;
};
OperatorAccess operator_access(const ClusterLayout& layout);

/// One hop of a traced message, as the server tells it.
struct TraceRung {
  std::string hop;
  std::string what;
  std::string note;
  std::int64_t at_us = 0;
};

/// The operator's door of logic (/hy.logic.v1.Admin/Call): accounts, tokens, traces. One stream,
/// many requests under way. Blocking; for one thread.
class OperatorClient {
 public:
  /// Errors: kUnreachableServer, kForbidden, kConfigUnreadable (the token).
  static Result<std::unique_ptr<OperatorClient>> open(const OperatorAccess& access, Millis within);
  ~OperatorClient();
  OperatorClient(const OperatorClient&) = delete;
  OperatorClient& operator=(const OperatorClient&) = delete;

  /// Makes accounts (an empty password: token logins only) and fills in their uids. All or the
  /// first error; accounts made before it stay. `progress` gets the number done.
  Status add_users(std::vector<Account>& accounts, Millis within,
                   const std::function<void(std::size_t)>& progress = {});
  /// Tokens of 144 bytes, same order; empty for an unknown uid. "%u" in device_id becomes the uid.
  Result<std::vector<Bytes>> make_tokens(const std::vector<Uid>& uids, Slot slot,
                                         const std::string& device_id, std::chrono::seconds life,
                                         Millis within,
                                         const std::function<void(std::size_t)>& progress = {});
  /// Those that exist.
  Result<std::vector<Account>> find_users(const std::vector<std::string>& names,
                                          const std::vector<Uid>& uids, Millis within);
  Status revoke(Uid uid, Slot slot, Millis within);
  /// By client_msg_id in hex, or by conversation and seq.
  Result<std::vector<TraceRung>> trace(const std::string& client_msg_id_hex,
                                       const ConversationId& conversation, Seq seq, Millis within);

 private:
  struct Impl;
  explicit OperatorClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::cli
