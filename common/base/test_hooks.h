#pragma once

#include <cstdint>
#include <string_view>

/// Two hooks that tests put into the product: bugs that can be switched on, and named places where
/// a test may end, stop or delay the process. Without HY_TEST_HOOKS (every build that ships) both
/// are empty and constant, so the compiler removes them and what they guard.
namespace hy {

/// Bugs made by hand. A checker that does not notice one of them is not worth its green light.
enum class Mutant : std::uint8_t {
  kNone = 0,
  kAckBeforeCommit = 1,
  kAckBeforeCommitOk = 2,
  kNoDeduplication = 3,
  kDeduplicationInCacheOnly = 4,
  kPayloadHashIgnored = 5,
  kHeadRaisedForRepeat = 6,
  kHalfBatchAfterLockTimeout = 7,
  kUnknownCommitIsRefused = 8,
  kUnknownCommitByPlainRead = 9,
  kGapNotChecked = 10,
  kSeqBeforeLock = 11,
  kUserConvAfterAppend = 12,
  kPushBeforeCommit = 13,
  kRelayedOnWritten = 14,
  kTickForRelayed = 15,
  kOutboxEmptiedByRelayed = 16,
  kCursorIsMax = 17,
  kAckBeforePersist = 18,
  kLostCounterBeginsAgain = 19,
  kSyncWithoutOverlap = 20,
  kMergeReversed = 21,
  kNoTombstone = 22,
  kTombstoneDroppedAtOnce = 23,
  kOldIncarnationLives = 24,
  kNoSelfPauseGuard = 25,
  kWarmingAnswersOffline = 26,
  kSnapshotDoesNotRemove = 27,
  kKickWithoutEpoch = 28,
  kSendIgnoresAuthEpoch = 29,
  kRegisteredAfterLoginAnswer = 30,
  kLoginHeadsTrusted = 31,
  kFullQueueDropsSilently = 32,
  kUnreachableKeepsPlacement = 33,
  kWindowNotResent = 34,
  kNonceMovesOnFailure = 35,
  kRekeyOffByOne = 36,
  kPushShownTwice = 37,
  kStaleCacheServedAsTruth = 38,
  kRetryWithoutBudget = 39,
  kBackoffWithoutJitter = 40,
  kGroupSendUnjudged = 41,
  kMemberVersionIgnored = 42,
  kLeaveSeqIgnored = 43,
  kJoinSeqForgotten = 44,
};
inline constexpr int kMutantsEnd = 45;

#if defined(HY_TEST_HOOKS)

/// True for the one mutant that is on. Any thread.
[[nodiscard]] bool mutant(Mutant which) noexcept;
/// One at a time; kNone ends it. Any thread.
void set_mutant(Mutant which) noexcept;

/// What happens at a named place. Any thread; set before threads start.
using SyncPointHandler = void (*)(std::string_view name);
void set_sync_point_handler(SyncPointHandler handler) noexcept;
/// Tells the handler that the calling thread is at `name` ("das.after_commit_before_cache").
void sync_point(std::string_view name);

#else

[[nodiscard]] constexpr bool mutant(Mutant /*which*/) noexcept {
  return false;
}
constexpr void sync_point(std::string_view /*name*/) noexcept {}

#endif

}  // namespace hy
