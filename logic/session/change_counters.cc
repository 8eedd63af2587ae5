#include "logic/session/change_counters.h"

#include <algorithm>

#include "common/base/limits.h"

namespace hy::logic {

void ChangeCounters::read(Uid uid, Answer answer) {
  std::vector<Answer>& line = waiting_[uid];
  if (line.empty()) asking_.push_back(uid);
  line.push_back(std::move(answer));
}

void ChangeCounters::flush() {
  if (asking_.empty()) return;
  // Taken out first: an answer from inside the call may ask again.
  const std::vector<Uid> asking = std::exchange(asking_, {});
  std::unordered_map<Uid, std::vector<Answer>> all = std::exchange(waiting_, {});
  const CallContext call{clock_.now() + ask_within_, TraceId{}};
  for (std::size_t begin = 0; begin < asking.size(); begin += limits::kIdsPerRequestMax) {
    const std::size_t end = std::min(asking.size(), begin + limits::kIdsPerRequestMax);
    std::vector<Uid> uids(asking.begin() + static_cast<std::ptrdiff_t>(begin),
                          asking.begin() + static_cast<std::ptrdiff_t>(end));
    std::vector<std::vector<Answer>> lines;
    lines.reserve(uids.size());
    for (const Uid uid : uids) lines.push_back(std::move(all.find(uid)->second));
    log_.change_counters(
        uids, call, [lines = std::move(lines)](Result<std::vector<std::uint64_t>> values) mutable {
          const bool is_answered = values && values->size() == lines.size();
          for (std::size_t i = 0; i < lines.size(); ++i) {
            const std::uint64_t value = is_answered ? (*values)[i] : 0;
            for (Answer& answer : lines[i]) answer(value);
          }
        });
  }
}

}  // namespace hy::logic
