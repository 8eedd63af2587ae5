#include "logic/session/session_fifo.h"

namespace hy::logic {

bool SessionFifo::enter(Key key, Job& job) {
  if (is_closed_) return false;
  const auto [it, is_new] = lines_.try_emplace(key);
  if (!is_new) {
    if (it->second.waiting.size() >= waiting_max_) return false;
    it->second.waiting.push_back(std::move(job));
    return true;
  }
  run(key, std::move(job));
  return true;
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
    if (line.waiting.empty()) {
      lines_.erase(key);
      return;
    }
    job = std::move(line.waiting.front());
    line.waiting.pop_front();
  }
}

void SessionFifo::close() {
  is_closed_ = true;
  for (auto& [key, line] : lines_) line.waiting.clear();
}

void SessionFifo::next(Key key) {
  Line& line = lines_.find(key)->second;
  if (line.is_running) {
    line.is_free = true;
    return;
  }
  if (line.waiting.empty()) {
    lines_.erase(key);
    return;
  }
  Job job = std::move(line.waiting.front());
  line.waiting.pop_front();
  run(key, std::move(job));
}

}  // namespace hy::logic
