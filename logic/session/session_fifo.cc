#include "logic/session/session_fifo.h"

namespace hy::logic {

std::optional<SessionFifo::Turn> SessionFifo::enter_now(Key key) {
  if (is_closed_ || !lines_.try_emplace(key).second) return std::nullopt;
  return Turn(this, key);
}

bool SessionFifo::enter(Key key, Job& job) {
  if (is_closed_) return false;
  const auto [it, is_new] = lines_.try_emplace(key);
  if (!is_new) {
    auto& waiting = it->second.waiting;
    if (waiting ? waiting->size() >= waiting_max_ : waiting_max_ == 0) return false;
    if (!waiting) waiting = std::make_unique<std::deque<Job>>();
    waiting->push_back(std::move(job));
    return true;
  }
  run(key, std::move(job));
  return true;
}

std::optional<SessionFifo::Job> SessionFifo::take_next(Line& line) {
  if (!line.waiting || line.waiting->empty()) return std::nullopt;
  std::optional<Job> job(std::move(line.waiting->front()));
  line.waiting->pop_front();
  return job;
}

// A loop rather than recursion: a job that ends at once must not stack the whole line.
void SessionFifo::run(Key key, Job job) {
  for (;;) {
    {
      Line& line = lines_.find(key)->second;
      line.is_running = true;
      line.is_free = false;
    }
    job(Turn(this, key));
    Line& line = lines_.find(key)->second;
    line.is_running = false;
    if (!line.is_free) return;  // its turn is kept: release() goes on
    auto following = take_next(line);
    if (!following) {
      lines_.erase(key);
      return;
    }
    job = *std::move(following);
  }
}

void SessionFifo::close() {
  is_closed_ = true;
  for (auto& [key, line] : lines_) line.waiting.reset();
}

void SessionFifo::next(Key key) {
  const auto it = lines_.find(key);
  if (it->second.is_running) {
    it->second.is_free = true;
    return;
  }
  auto job = take_next(it->second);
  if (!job) {
    lines_.erase(it);
    return;
  }
  run(key, *std::move(job));
}

}  // namespace hy::logic
