#include "client/load/loop.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/check.h"

namespace hy::load {
Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), ready_(kEventsAtOnce), pacer_(kTurnDistance) {
  HY_CHECK(epoll_ >= 0);
}

Loop::~Loop() {
  ::close(epoll_);
}

bool Loop::add(int fd, Source& source, bool level) {
  epoll_event event{};
  event.events = level ? EPOLLIN : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &source;
  return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Loop::remove(int fd, Source& source) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  for (int i = ready_at_; i < ready_count_; ++i) {
    auto& event = ready_[static_cast<std::size_t>(i)];
    if (event.data.ptr == &source) event.data.ptr = nullptr;
  }
  if (source.is_late) {
    source.is_late = false;
    std::erase_if(late_, [&](const Late& late) { return late.source == &source; });
  }
  if (!source.is_dirty) return;
  source.is_dirty = false;
  std::ranges::replace(dirty_, &source, nullptr);
  std::ranges::replace(flushing_, &source, nullptr);
}

void Loop::flush() {
  while (!dirty_.empty()) {
    flushing_.swap(dirty_);
    for (std::size_t i = 0; i < flushing_.size(); ++i) {
      Source* const source = flushing_[i];
      if (source == nullptr) continue;
      source->is_dirty = false;
      source->on_turn_end();
    }
    flushing_.clear();
  }
}

int Loop::turn(MonoTime until) {
  flush();
  // A turn that was full left something behind.
  if (ready_count_ < static_cast<int>(ready_.size())) pacer_.pace();
  if (!late_.empty()) until = std::min(until, late_.front().at);
  const auto left = until - std::chrono::steady_clock::now();
  const auto ns = std::max<std::int64_t>(0, left.count());
  const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
  const int n =
      ::epoll_pwait2(epoll_, ready_.data(), static_cast<int>(ready_.size()), &wait, nullptr);
  HY_CHECK(n >= 0 || errno == EINTR);
  ready_count_ = std::max(n, 0);
  now_ = std::chrono::steady_clock::now();
  for (; !late_.empty() && late_.front().at <= now_; late_.pop_front()) {
    late_.front().source->is_late = false;
    mark_dirty(*late_.front().source);
  }
  for (ready_at_ = 0; ready_at_ < ready_count_;) {
    const epoll_event event = ready_[static_cast<std::size_t>(ready_at_++)];
    if (event.data.ptr != nullptr) static_cast<Source*>(event.data.ptr)->on_events(event.events);
  }
  ++turns_;
  events_ += static_cast<std::uint64_t>(ready_count_);
  flush();
  return ready_count_;
}

}  // namespace hy::load
