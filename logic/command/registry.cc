#include "logic/command/registry.h"

#include <algorithm>
#include <array>

#include "common/base/limits.h"
#include "hy/client/v1/command.pb.h"
#include "logic/command/block.h"
#include "logic/command/group.h"
#include "logic/command/history.h"
#include "logic/command/login.h"
#include "logic/command/logout.h"
#include "logic/command/message_state.h"
#include "logic/command/ping.h"
#include "logic/command/pull.h"
#include "logic/command/read.h"
#include "logic/command/recents.h"
#include "logic/command/send_message.h"
#include "logic/command/sync.h"
#include "logic/command/user_lookup.h"

namespace hy::logic {
namespace {

namespace pb = hy::client::v1;

/// Ids and small numbers; unknown fields of a newer client included.
constexpr std::uint32_t kSmallBody = 512;
/// 500 names of 64 bytes with their tags.
constexpr std::uint32_t kListBody = 500 * (limits::kNameBytesMax + 12);
/// The largest message and its ids.
constexpr std::uint32_t kSendBody = limits::kMessageBodyBytesMax + kSmallBody;
constexpr std::uint32_t kLoginBody = limits::kBodyBeforeLoginMax;

// clang-format off
constexpr std::array kRows = {
    CommandRow{pb::LOGIN, "login", [](Commands& c, RequestPtr r, std::string_view b) { c.login.run(std::move(r), b); },
               false, RateClass::kNone, Priority::kLogin, "0.1", kLoginBody},
    CommandRow{pb::LOGOUT, "logout", [](Commands&, RequestPtr r, std::string_view b) { Logout::run(std::move(r), b); },
               true, RateClass::kNone, Priority::kControl, "0.1", kSmallBody},
    CommandRow{pb::PING, "ping", [](Commands& c, RequestPtr r, std::string_view b) { c.ping.run(std::move(r), b); },
               true, RateClass::kQuery, Priority::kControl, "0.1", kSmallBody},
    CommandRow{pb::SEND, "send_message", [](Commands& c, RequestPtr r, std::string_view b) { c.send_message.run(std::move(r), b); },
               true, RateClass::kSend, Priority::kMessage, "0.1", kSendBody, true},
    CommandRow{pb::READ, "read", [](Commands& c, RequestPtr r, std::string_view b) { c.read.run(std::move(r), b); },
               true, RateClass::kRead, Priority::kMessage, "0.1", kSmallBody},
    CommandRow{pb::MESSAGE_STATE, "message_state", [](Commands& c, RequestPtr r, std::string_view b) { c.message_state.run(std::move(r), b); },
               true, RateClass::kQuery, Priority::kSync, "0.1", kSmallBody},
    CommandRow{pb::SYNC, "sync", [](Commands& c, RequestPtr r, std::string_view b) { c.sync.run(std::move(r), b); },
               true, RateClass::kSync, Priority::kSync, "0.1", kSmallBody},
    CommandRow{pb::PULL, "pull", [](Commands& c, RequestPtr r, std::string_view b) { c.pull.run(std::move(r), b); },
               true, RateClass::kPull, Priority::kSync, "0.1", kSmallBody},
    CommandRow{pb::HISTORY, "history", [](Commands& c, RequestPtr r, std::string_view b) { c.history.run(std::move(r), b); },
               true, RateClass::kPull, Priority::kSync, "0.1", kSmallBody},
    CommandRow{pb::RECENTS, "recents", [](Commands& c, RequestPtr r, std::string_view b) { c.recents.run(std::move(r), b); },
               true, RateClass::kPull, Priority::kSync, "0.1", kSmallBody},
    CommandRow{pb::USER_LOOKUP, "user_lookup", [](Commands& c, RequestPtr r, std::string_view b) { c.user_lookup.run(std::move(r), b); },
               true, RateClass::kQuery, Priority::kRelation, "0.1", kListBody},
    CommandRow{pb::BLOCK, "block", [](Commands& c, RequestPtr r, std::string_view b) { c.block.run(std::move(r), b); },
               true, RateClass::kQuery, Priority::kRelation, "0.1", kSmallBody},
    CommandRow{pb::GROUP_CREATE, "group_create", [](Commands& c, RequestPtr r, std::string_view b) { c.groups.create(std::move(r), b); },
               true, RateClass::kNewGroup, Priority::kRelation, "0.1", kListBody},
    CommandRow{pb::GROUP_INFO, "group_info", [](Commands& c, RequestPtr r, std::string_view b) { c.groups.info(std::move(r), b); },
               true, RateClass::kQuery, Priority::kRelation, "0.1", kSmallBody},
    CommandRow{pb::GROUP_CHANGE, "group_change", [](Commands& c, RequestPtr r, std::string_view b) { c.groups.change(std::move(r), b); },
               true, RateClass::kQuery, Priority::kRelation, "0.1", kListBody},
};
// clang-format on
static_assert(std::ranges::is_sorted(kRows, {}, &CommandRow::number));

}  // namespace

std::span<const CommandRow> command_rows() {
  return kRows;
}

const CommandRow* find_command(std::uint32_t number) {
  const auto* row = std::ranges::find(kRows, number, &CommandRow::number);
  return row == kRows.end() ? nullptr : row;
}

}  // namespace hy::logic
