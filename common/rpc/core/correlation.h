#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/clock.h"

namespace hy::rpc {

/// Requests that wait for an answer on one stream: id -> completion, each with a deadline. An id is
/// never used twice, 0 is never given (it means "no answer wanted"). What is still here when the
/// stream ends is "outcome unknown". Not thread-safe.
template <class Completion>
class Correlation {
 public:
  using Id = std::uint64_t;

  [[nodiscard]] Id add(MonoTime deadline, Completion completion) {
    const Id id = ++last_;
    waiting_.emplace(id, std::move(completion));
    deadlines_.emplace(deadline, id);
    return id;
  }

  /// nullopt: unknown, answered before, or expired. The caller counts it as a late answer.
  [[nodiscard]] std::optional<Completion> take(Id id) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return std::nullopt;
    std::optional<Completion> completion(std::move(found->second));
    waiting_.erase(found);
    return completion;
  }

  /// Still waiting, or nullptr. For answers that come in several parts.
  [[nodiscard]] Completion* find(Id id) {
    const auto found = waiting_.find(id);
    return found == waiting_.end() ? nullptr : &found->second;
  }

  /// All whose deadline is at or before `now`, oldest deadline first.
  [[nodiscard]] std::vector<std::pair<Id, Completion>> expire(MonoTime now) {
    std::vector<std::pair<Id, Completion>> out;
    while (!deadlines_.empty() && deadlines_.top().first <= now) {
      const Id id = deadlines_.top().second;
      deadlines_.pop();
      if (auto completion = take(id)) out.emplace_back(id, *std::move(completion));
    }
    return out;
  }

  /// Earliest deadline of a waiting request; drops what was answered already.
  [[nodiscard]] std::optional<MonoTime> next_deadline() {
    while (!deadlines_.empty() && !waiting_.contains(deadlines_.top().second)) deadlines_.pop();
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.top().first;
  }

  /// Everything, in the order of the ids: the stream has ended.
  [[nodiscard]] std::vector<std::pair<Id, Completion>> fail_all() {
    std::vector<std::pair<Id, Completion>> out;
    std::priority_queue<Id, std::vector<Id>, std::greater<>> ids;
    for (const auto& waiting : waiting_) ids.push(waiting.first);
    for (; !ids.empty(); ids.pop()) out.emplace_back(ids.top(), *take(ids.top()));
    deadlines_ = {};
    return out;
  }

  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }

 private:
  using Due = std::pair<MonoTime, Id>;
  std::unordered_map<Id, Completion> waiting_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> deadlines_;
  Id last_ = 0;
};

}  // namespace hy::rpc
