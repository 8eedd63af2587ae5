#include "client/sdk/net/runtime.h"

#include <memory>
#include <utility>

namespace hy {

Runtime::Impl::Impl() : guard(asio::make_work_guard(context)), thread_([this] { context.run(); }) {}

Runtime::Impl::~Impl() {
  stop();
}

void Runtime::Impl::stop() {
  guard.reset();
  context.stop();
  if (thread_.joinable()) thread_.join();
}

Runtime::Runtime() : impl_(std::make_unique<Impl>()) {}
Runtime::~Runtime() = default;

void Runtime::post(std::function<void()> f) {
  asio::post(impl_->context, std::move(f));
}

void Runtime::after(std::chrono::milliseconds wait, std::function<void()> f) {
  auto timer = std::make_shared<asio::steady_timer>(impl_->context);
  // Armed on the runtime's own thread: a timer is not thread-safe.
  asio::post(impl_->context, [timer, wait, f = std::move(f)]() mutable {
    timer->expires_after(wait);
    timer->async_wait([timer, f = std::move(f)](const net::ErrorCode& error) {
      if (!error) f();
    });
  });
}

}  // namespace hy
