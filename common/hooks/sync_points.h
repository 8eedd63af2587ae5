#pragma once

#include <array>
#include <cstdint>
#include <string_view>

/// Every named place of the product where a test may end, stop or delay the process
/// (common/base/test_hooks.h). tests/tidy checks that each name stands at exactly one place.
namespace hy::hooks {

/// What has to happen before a place is reached.
enum class Reached : std::uint8_t {
  kByTraffic,     ///< people who talk and read: every run, soon and often
  kByLogin,       ///< people who connect again
  kByStart,       ///< first logins with a password, first messages of a pair
  kByFault,       ///< only behind a fault: a lost peer, a store that is away, a resend
  kByMysql,       ///< traffic with engine mysql
  kByEmbedded,    ///< traffic with engine embedded
  kByMysqlFault,  ///< kByFault with engine mysql
  kByMysqlStart,  ///< kByStart with engine mysql
};

struct SyncPoint {
  std::string_view name;  ///< "tier.place"; at most kPointNameMax characters
  Reached reached = Reached::kByTraffic;
};

inline constexpr std::size_t kPointNameMax = 47;

// clang-format off
inline constexpr auto kSyncPoints = std::to_array<SyncPoint>({
    {"entry.after_accept", Reached::kByLogin},
    {"entry.after_handshake", Reached::kByLogin},
    {"entry.command_before_hub"},
    {"entry.reply_before_answer"},
    {"entry.before_register", Reached::kByLogin},
    {"entry.after_register_before_login_ack", Reached::kByLogin},
    {"entry.registered_partly", Reached::kByFault},
    {"entry.displaced_before_close", Reached::kByFault},
    {"entry.opened_before_login_ack", Reached::kByLogin},
    {"entry.after_push_sealed_before_write"},
    {"entry.after_push_ack_before_forward"},
    {"entry.kicked_before_close", Reached::kByFault},
    {"entry.drain_mid", Reached::kByFault},
    {"entry.before_del", Reached::kByLogin},
    {"entry.closed_before_logic_told", Reached::kByLogin},
    {"entry.before_kick", Reached::kByFault},
    {"entry.before_logic_forward"},
    {"entry.logic_lost_before_resend", Reached::kByFault},
    {"entry.after_ops_sent", Reached::kByLogin},
    {"entry.before_dump_end", Reached::kByFault},
    {"entry.forward_before_window"},
    {"entry.before_push_resend", Reached::kByFault},
    {"logic.after_rules_before_append"},
    {"logic.after_stored_before_ack"},
    {"logic.after_ack_before_deliver"},
    {"logic.before_deliver"},
    {"logic.after_deliver_before_result"},
    {"logic.before_deliver_elsewhere", Reached::kByFault},
    {"logic.result_before_taken"},
    {"logic.before_relay", Reached::kByFault},
    {"logic.after_relay_before_acked", Reached::kByFault},
    {"logic.before_receipts"},
    {"logic.signed_in_before_fence", Reached::kByStart},
    {"logic.epoch_raised_before_kick", Reached::kByFault},
    {"logic.before_login_answer", Reached::kByLogin},
    {"logic.sync_read_before_answer", Reached::kByLogin},
    {"logic.pull_read_before_answer", Reached::kByFault},
    {"logic.read_marked_before_answer"},
    {"router.after_merge_before_ack", Reached::kByLogin},
    {"router.mid_snapshot", Reached::kByFault},
    {"router.before_dump_end", Reached::kByFault},
    {"router.before_kick", Reached::kByFault},
    {"router.entry_lost", Reached::kByFault},
    {"router.after_resolve_before_forward"},
    {"router.after_forward_before_result"},
    {"router.result_before_logic"},
    {"das.after_lock", Reached::kByMysql},
    {"das.after_insert_before_commit", Reached::kByMysql},
    {"das.slow_after_lock", Reached::kByMysqlFault},
    {"das.embedded_after_lock", Reached::kByEmbedded},
    {"das.embedded_after_insert_before_commit", Reached::kByEmbedded},
    {"das.after_commit_before_cache"},
    {"das.after_cache_before_reply"},
    {"das.fast_rolled_back_before_slow", Reached::kByFault},
    {"das.unknown_before_resolve", Reached::kByFault},
    {"das.sync_after_counter_before_heads", Reached::kByLogin},
    {"das.before_user_conv_made", Reached::kByMysqlStart},
    {"das.sign_in_before_commit", Reached::kByMysqlStart},
    {"sdk.outbox_before_write"},
    {"sdk.after_outbox_write"},
    {"sdk.store_before_commit"},
    {"sdk.counter_before_connect", Reached::kByLogin},
    {"sdk.after_send_before_ack"},
    {"sdk.stored_before_outbox_drop"},
    {"sdk.after_recv_before_persist"},
    {"sdk.after_persist_before_ack"},
    {"sdk.after_ack_before_show"},
    {"sdk.after_sync_before_pull", Reached::kByLogin},
    {"sdk.after_pull_slice", Reached::kByFault},
});
// clang-format on

/// The tier in front of the first dot.
constexpr std::string_view tier_of(std::string_view point) {
  return point.substr(0, point.find('.'));
}

}  // namespace hy::hooks
