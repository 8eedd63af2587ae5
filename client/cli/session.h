#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "client/cli/output.h"
#include "client/cli/profile.h"
#include "client/sdk/hongyan.hpp"

namespace hy::cli {

/// Who talks, and where to.
struct Speaker {
  std::string profile;
  std::string user;
  std::string as;  ///< slot name; empty: the verb's own
  Millis within{10'000};
};

/// A signed-in SDK client of one person, for one run of `hy`.
class Session {
 public:
  /// `prepare` sets callbacks before the first packet. `is_offline_fine`: no answer from the
  /// servers is no error (the outbox keeps what is written).
  static Result<std::unique_ptr<Session>> open(
      const Speaker& speaker, Slot usual_slot, bool is_offline_fine = false,
      const std::function<void(hy::Client&)>& prepare = {});
  hy::Client& client() { return *client_; }
  [[nodiscard]] const Person& person() const { return person_; }
  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] bool is_online() const { return is_online_; }
  /// The uid of a name or of a number. Errors: kUnknownUser, kTimedOut …
  Result<Uid> find(const std::string& name_or_number);
  /// The conversation with a person (name or uid), or of "group:GID". Errors: as find(), kUsage for
  /// what only looks like a group.
  Result<ConversationId> find_conversation(const std::string& peer);
  /// A name for display; the number when it cannot be asked.
  std::string name_of(Uid uid);
  /// The other person's name, or "group:GID".
  std::string name_of(ConversationId conversation);
  /// A change of a group told in words; any other message as it is.
  Message readable(Message message);

 private:
  Session() = default;
  Target target_;
  Person person_;
  bool is_online_ = false;
  std::map<Uid, std::string> names_;
  std::unique_ptr<hy::Client> client_;
};

/// "group:7". nullopt: the text names no group; kUsage: it begins like one and has no number.
Result<std::optional<Gid>> parse_group(const std::string& text);

/// Messages from the SDK's thread to the verb's.
class MessageQueue {
 public:
  void put(const Message& message);
  /// nullopt: nothing came before `deadline`.
  std::optional<Message> take(MonoTime deadline);
  [[nodiscard]] bool empty();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Message> messages_;
};

}  // namespace hy::cli
