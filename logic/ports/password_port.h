#pragma once

#include "common/base/secret.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Argon2id beside the loop: a bounded pool of threads. Completions come on the loop thread.
class PasswordPort {
 public:
  virtual ~PasswordPort() = default;
  struct Verdict {
    bool right = false;
    Secret rehash;  ///< not empty: parameters rose, store this one
  };
  /// An empty `phc` costs the same work and is never right. kOverloaded with retry_after when the
  /// queue is full (from inside the call).
  virtual void verify(Secret password, Secret phc, Done<Verdict> done) = 0;
  /// The PHC string. kOverloaded as above.
  virtual void hash(Secret password, Done<Secret> done) = 0;
};

}  // namespace hy::logic
