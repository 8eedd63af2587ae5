#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "common/obs/trace.h"
#include "logic/command/request.h"
#include "logic/session/rates.h"

namespace hy::logic {

class Login;
class Ping;
class SendMessage;
class Read;
class MessageState;
class Sync;
class Pull;
class History;
class Recents;
class UserLookup;
class Block;
class GroupCommands;

/// The handlers, made by the composition root.
struct Commands {
  Login& login;
  Ping& ping;
  SendMessage& send_message;
  Read& read;
  MessageState& message_state;
  Sync& sync;
  Pull& pull;
  History& history;
  Recents& recents;
  UserLookup& user_lookup;
  Block& block;
  GroupCommands& groups;
};

/// Everything that a client can ask, a row each. PUSH_ACK is not here: the entry answers it.
struct CommandRow {
  std::uint16_t number;  ///< hy.client.v1.Command
  std::string_view name;
  void (*run)(Commands& commands, RequestPtr request, std::string_view body);
  bool needs_session;
  RateClass rate;
  Priority priority;
  std::string_view since;  ///< server version
  std::uint32_t body_bytes_max;
  /// Takes several steps before its write is issued: keeps the session's line until then.
  bool keeps_turn = false;
};

/// Ascending numbers.
std::span<const CommandRow> command_rows();
/// nullptr: no such command.
const CommandRow* find_command(std::uint32_t number);

}  // namespace hy::logic
