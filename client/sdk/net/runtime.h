#pragma once

#include <atomic>
#include <thread>

#include "client/sdk/hongyan.hpp"
#include "common/net/asio.h"

namespace hy {

struct Runtime::Impl {
  Impl();
  ~Impl();
  /// Ends the loop and joins; what was posted and did not run is dropped with the context.
  void stop();
  [[nodiscard]] bool is_here() const { return std::this_thread::get_id() == thread_.get_id(); }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  std::thread thread_;
};

}  // namespace hy
