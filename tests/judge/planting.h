#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "tests/judge/plants.h"

/// What the plants are made with.
namespace hy::judge {

/// An event: history and index.
struct At {
  std::size_t h = 0;
  std::size_t i = 0;
};

inline Event& event(Evidence& e, At at) {
  return e.histories[at.h].events()[at.i];
}

/// Some event that fits, every one as likely.
template <class Fits>
std::optional<At> pick(Evidence& e, Random& random, Fits&& fits) {
  std::optional<At> chosen;
  std::uint64_t seen = 0;
  for (std::size_t h = 0; h < e.histories.size(); ++h) {
    const auto& events = e.histories[h].events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (fits(e.histories[h], events[i]) && random.below(++seen) == 0) chosen = At{h, i};
    }
  }
  return chosen;
}
template <class Fits>
std::optional<std::size_t> pick_row(Evidence& e, Random& random, Fits&& fits) {
  std::optional<std::size_t> chosen;
  std::uint64_t seen = 0;
  for (std::size_t r = 0; r < e.store.messages.size(); ++r) {
    if (fits(e.store.messages[r]) && random.below(++seen) == 0) chosen = r;
  }
  return chosen;
}

inline void remove(Evidence& e, At at) {
  auto& events = e.histories[at.h].events();
  events.erase(events.begin() + static_cast<std::ptrdiff_t>(at.i));
}
/// Behind `at`, at the same time.
inline void insert_after(Evidence& e, At at, Event what) {
  auto& events = e.histories[at.h].events();
  what.at = events[at.i].at;
  events.insert(events.begin() + static_cast<std::ptrdiff_t>(at.i) + 1, what);
}
inline void insert_before(Evidence& e, At at, Event what) {
  auto& events = e.histories[at.h].events();
  what.at = events[at.i].at;
  events.insert(events.begin() + static_cast<std::ptrdiff_t>(at.i), what);
}
/// Puts an event where its time belongs; kEnd stays last.
inline void insert_at(Evidence& e, std::size_t h, Event what) {
  auto& events = e.histories[h].events();
  auto place = std::ranges::upper_bound(events, what.at, {}, &Event::at);
  if (place == events.end() && !events.empty() && events.back().ev == Ev::kEnd) --place;
  if (!events.empty() && events.back().ev == Ev::kEnd)
    events.back().at = std::max(events.back().at, what.at);
  events.insert(place, what);
}
template <class Which>
std::size_t remove_all(Evidence& e, std::size_t h, Which&& which) {
  return std::erase_if(e.histories[h].events(), which);
}

inline const MessageRow* row_of(const Evidence& e, const ClientMsgId& id) {
  const auto at = std::ranges::find(e.store.messages, id, &MessageRow::cmid);
  return at == e.store.messages.end() ? nullptr : &*at;
}
inline ConversationRow& head_of(Evidence& e, const ConversationId& conv) {
  return *std::ranges::find(e.store.conversations, conv, &ConversationRow::conv);
}
inline std::optional<At> find_event(Evidence& e, std::size_t h, Ev ev, const ClientMsgId& id) {
  const auto& events = e.histories[h].events();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].ev == ev && events[i].cmid == id) return At{h, i};
  }
  return std::nullopt;
}
inline bool is_first_answer(const Event& e) {
  return e.ev == Ev::kSendOk && !e.has(kRelayed);
}
inline ClientMsgId fresh_id(Random& random) {
  ClientMsgId id;
  random.fill(id.bytes);
  return id;
}

}  // namespace hy::judge
