#pragma once

#include <memory>

#include "das/append/store_call.h"

namespace hy::das {

/// What one reader does with a call: runs it on its session, opens another when that broke, and
/// while that fails refuses at once with the reason. No thread, no lock; blocks in the session.
class ReaderCore {
 public:
  /// engine and clock outlive the reader. backoff: between two tries to open a session.
  ReaderCore(Engine& engine, const Clock& clock, Millis backoff)
      : engine_(engine), clock_(clock), backoff_(backoff), next_try_(clock.now()) {}
  void serve(StoreCall& call);

 private:
  bool has_session();

  Engine& engine_;
  const Clock& clock_;
  const Millis backoff_;
  std::unique_ptr<StoreSession> session_;
  Error down_{Errc::kStoreDown, "not yet reached", {}};
  MonoTime next_try_;
};

}  // namespace hy::das
