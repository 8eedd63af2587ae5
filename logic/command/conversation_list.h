#pragma once

#include "hy/client/v1/sync.pb.h"
#include "logic/ports/message_log_port.h"

/// For SYNC and RECENTS alone.
namespace hy::logic {

/// One row as the caller `uid` sees it.
void fill_state(const ConversationRow& row, Uid uid, hy::client::v1::ConversationState& out);

}  // namespace hy::logic
