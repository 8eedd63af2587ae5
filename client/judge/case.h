#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/judge/evidence.h"
#include "common/flat/flat_map.h"

namespace hy::judge {

/// What makes two messages the same one.
struct RowKey {
  ConversationId conv{};
  Uid sender{};
  ClientMsgId cmid{};
  friend bool operator==(const RowKey&, const RowKey&) = default;
};
/// A position in a conversation.
struct Place {
  ConversationId conv{};
  std::uint64_t seq = 0;
  friend bool operator==(const Place&, const Place&) = default;
};
/// A person, or a device by its number, in a conversation.
struct InConv {
  std::uint64_t who = 0;
  ConversationId conv{};
  friend bool operator==(const InConv&, const InConv&) = default;
};

}  // namespace hy::judge

template <>
struct std::hash<hy::judge::RowKey> {
  std::size_t operator()(const hy::judge::RowKey& k) const noexcept {
    return std::hash<hy::ClientMsgId>{}(k.cmid) ^ std::hash<hy::ConversationId>{}(k.conv) ^
           hy::mix64(k.sender.value());
  }
};
template <>
struct std::hash<hy::judge::Place> {
  std::size_t operator()(const hy::judge::Place& p) const noexcept {
    return hy::mix64(std::hash<hy::ConversationId>{}(p.conv) ^ p.seq);
  }
};
template <>
struct std::hash<hy::judge::InConv> {
  std::size_t operator()(const hy::judge::InConv& k) const noexcept {
    return hy::mix64(std::hash<hy::ConversationId>{}(k.conv) ^ hy::mix64(k.who));
  }
};

namespace hy::judge {

/// A message from the side of the device that wrote it.
struct Send {
  RowKey key;
  std::uint32_t history = 0;
  std::uint32_t invokes = 0;  ///< > 1: a person sent it again
  Nanos invoked_at = 0;
  std::uint64_t phash = 0;
  std::uint64_t quoted = 0;
  Nanos stored_at = kNanosMax;
  std::uint64_t seq = 0;  ///< as answered
  Nanos relayed_at = kNanosMax;
  Nanos refused_at = kNanosMax;  ///< for good
  Nanos unsure_at = kNanosMax;   ///< the app was told that it may not have been sent
  Nanos logged_at = kNanosMax;   ///< its own device met it in the log: as good as an answer
  bool has_unknown_try = false;
  [[nodiscard]] bool is_stored() const { return stored_at != kNanosMax; }
  [[nodiscard]] bool is_refused() const { return refused_at != kNanosMax; }
  [[nodiscard]] bool is_logged() const { return logged_at != kNanosMax; }
  [[nodiscard]] bool is_unsure() const { return unsure_at != kNanosMax; }
};

/// A connection that was logged in, as its device knows it.
struct Session {
  std::uint32_t history = 0;
  std::uint32_t connection = 0;
  Epoch epoch;
  Nanos from = 0;
  Nanos to = kNanosMax;  ///< kNanosMax: open at the end of the file
  ClosedBy by = ClosedBy::kNone;
};

struct Conversation {
  ConversationId conv{};
  std::uint64_t head = 0;
  std::uint64_t kept_from = 1;
  std::vector<std::uint32_t> rows;  ///< into StoreDump::messages, by seq
};

inline constexpr std::uint32_t kNone = 0xFFFF'FFFF;

/// The evidence with what all checkers look up. Linear in events and rows, but for the sorting of
/// rows by seq and of sessions by time. The evidence and the rules outlive it.
class Case {
 public:
  Case(const Evidence& evidence, const Rules& rules);
  Case(const Case&) = delete;
  Case& operator=(const Case&) = delete;

  const Evidence& evidence;
  const Rules& rules;

  [[nodiscard]] const History& history(std::uint32_t h) const { return evidence.histories[h]; }
  [[nodiscard]] std::uint32_t histories() const {
    return static_cast<std::uint32_t>(evidence.histories.size());
  }
  [[nodiscard]] const MessageRow& row(std::uint32_t r) const { return evidence.store.messages[r]; }

  /// The row of a message, of a position; kNone: the dump has none.
  [[nodiscard]] std::uint32_t row_of(const RowKey& key) const;
  [[nodiscard]] std::uint32_t row_at(const Place& place) const;
  /// nullptr: the dump does not know the conversation.
  [[nodiscard]] const Conversation* conversation(const ConversationId& conv) const;
  [[nodiscard]] const std::vector<Conversation>& conversations() const { return conversations_; }
  /// Retention has removed the position.
  [[nodiscard]] bool has_expired(const ConversationId& conv, std::uint64_t seq) const {
    const Conversation* const known = conversation(conv);
    return known != nullptr && seq < known->kept_from;
  }
  /// Conversations of a person, as indexes of conversations().
  [[nodiscard]] const std::vector<std::uint32_t>& conversations_of(Uid uid) const;
  /// kNone: no row; then a pair is seen whole by its two people, a group by nobody.
  [[nodiscard]] const MemberRow* member(Uid uid, const ConversationId& conv) const;
  /// The store shows (conv, seq) to the person: a member when it was stored, and not gone and back
  /// since then.
  [[nodiscard]] bool sees(Uid uid, const ConversationId& conv, std::uint64_t seq) const;
  /// The person was a member when (conv, seq) was stored, now or in an earlier stint.
  [[nodiscard]] bool saw(Uid uid, const ConversationId& conv, std::uint64_t seq) const;
  /// The first seq that the person ever saw.
  [[nodiscard]] std::uint64_t first_seen(Uid uid, const ConversationId& conv) const;

  /// In the order of histories and events.
  [[nodiscard]] const std::vector<Send>& sends() const { return sends_; }
  [[nodiscard]] const Send* send_of(const RowKey& key) const;
  /// Of one device, by time; of all devices of a person, by time.
  [[nodiscard]] const std::vector<Session>& sessions(std::uint32_t h) const { return sessions_[h]; }
  [[nodiscard]] const std::vector<std::uint32_t>& devices_of(Uid uid) const;
  /// The device was connected during the whole of [from, to].
  [[nodiscard]] bool is_connected(std::uint32_t h, Nanos from, Nanos to) const;
  /// A device of the person was connected during the whole of [from, to]; at some time in it.
  [[nodiscard]] bool is_online_throughout(Uid uid, Nanos from, Nanos to) const;
  [[nodiscard]] bool is_online_within(Uid uid, Nanos from, Nanos to) const;
  /// First moment at which a device of someone else than the sender had the message on disk;
  /// showed it. kNanosMax: never.
  [[nodiscard]] Nanos persisted_elsewhere(const RowKey& key) const;
  [[nodiscard]] Nanos shown_elsewhere(const RowKey& key) const;

  /// The moment by which `span` of time without a fault of reach has passed since `from`.
  [[nodiscard]] Nanos connected_after(Nanos from, Nanos span) const;
  /// Some fault of reach was alive in [from, to].
  [[nodiscard]] bool is_cut(Nanos from, Nanos to) const;
  /// `at` lies in a fault or less than `settle` behind its end.
  [[nodiscard]] bool is_disturbed(Nanos at, Nanos settle) const;

  [[nodiscard]] std::string name(std::uint32_t h) const { return device_text(history(h).device()); }

 private:
  struct Elsewhere {
    Nanos persisted = kNanosMax;
    Nanos shown = kNanosMax;
  };
  void read_store();
  void read_history(std::uint32_t h);
  void read_event(std::uint32_t h, const Event& e);
  void read_send(std::uint32_t h, const Event& e);
  void end_session(std::uint32_t h, Nanos at, ClosedBy by);
  Conversation& conversation_for(const ConversationId& conv);

  FlatMap<RowKey, std::uint32_t> row_of_;
  FlatMap<Place, std::uint32_t> row_at_;
  FlatMap<ConversationId, std::uint32_t> conversation_of_;
  std::vector<Conversation> conversations_;
  FlatMap<InConv, std::uint32_t> member_of_;
  FlatMap<InConv, std::vector<std::uint32_t>> stints_of_;
  FlatMap<Uid, std::vector<std::uint32_t>> conversations_of_;
  std::vector<Send> sends_;
  FlatMap<RowKey, std::uint32_t> send_of_;
  std::vector<std::vector<Session>> sessions_;
  FlatMap<Uid, std::vector<std::uint32_t>> devices_of_;
  FlatMap<Uid, std::vector<std::pair<Nanos, Nanos>>> online_;  // merged, by time
  FlatMap<RowKey, Elsewhere> elsewhere_;
  std::vector<std::pair<Nanos, Nanos>> reach_;   // faults of reach, merged, by time
  std::vector<std::pair<Nanos, Nanos>> faults_;  // all faults, merged, by time
  // What the device being read has sent: state events and answers carry no conversation.
  FlatMap<ClientMsgId, std::uint32_t> own_;
};

/// What one checker looked at and found. The first kShown violations in full, all counted.
struct Report {
  static constexpr std::size_t kShown = 100;
  std::string_view checker;
  std::string_view unit;        ///< of what: "acknowledged messages"
  std::uint64_t looked_at = 0;  ///< how many comparisons of that kind it made
  std::uint64_t found = 0;
  std::vector<Violation> violations;

  Report(std::string_view name, std::string_view of) : checker(name), unit(of) {}
  void add(Violation violation) {
    violation.checker = checker;
    if (++found <= kShown) violations.push_back(std::move(violation));
  }
};

}  // namespace hy::judge
