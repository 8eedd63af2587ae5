#pragma once

#include <memory>

#include "common/base/result.h"
#include "common/config/command_line.h"

namespace hy::logic {

/// The composition root of hy-logic. Members are declared in start order; inward doors open last.
class App {
 public:
  explicit App(config::Start start);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Listens and dials. Does not wait for peers: /readyz names the missing ones. kPortInUse.
  Status start();
  /// Not ready, entries told to go elsewhere, open commands answered within a bound, streams ended.
  /// Returns when all threads of the loop have ended. After start().
  void stop();

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::logic
