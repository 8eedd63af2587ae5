#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hy {

/// Every error that Hongyan can say. The value is the number on the wire and on the screen
/// (HY-7001); fixed once shipped. Each has a row in the table of error.cc, proven complete at
/// compile time.
enum class Errc : std::uint16_t {
  kOk = 0,
  // 1xxx frames, handshake, bodies
  kBadMagic = 1001,
  kBadVersion = 1002,
  kWrongState = 1003,
  kFrameTooLarge = 1004,
  kBadFrame = 1005,
  kHandshakeFailed = 1006,
  kUnknownServerKey = 1007,
  kUnknownCommand = 1008,
  kMalformedBody = 1009,
  kHandshakeTimeout = 1010,
  kLoginTimeout = 1011,
  kBadCompression = 1012,
  kInvalidText = 1013,
  kSilentPeer = 1014,
  kNotLoggedIn = 1015,
  kUnsupportedSuite = 1016,
  kConnectionTooOld = 1017,
  // 2xxx login, session
  kTokenMalformed = 2001,
  kTokenForged = 2002,
  kTokenExpired = 2003,
  kTokenMisused = 2004,
  kPasswordWrong = 2005,
  kLoginLocked = 2006,
  kStaleEpoch = 2007,
  kRevoked = 2008,
  kAuthUnavailable = 2010,
  kAlreadyLoggedIn = 2011,
  kGrantInvalid = 2012,
  kKicked = 2043,
  kStaleSession = 2044,
  kBanned = 2045,
  kPasswordUnfit = 2046,
  // 3xxx messages
  kConflict = 3001,
  kTooFar = 3002,
  kCursorAhead = 3003,
  kMessageNotFound = 3004,
  kRangeInvalid = 3005,
  kBodyTooLarge = 3006,
  kMembersChanged = 3007,
  kGap = 3009,
  // 4xxx people and groups
  kUnknownUser = 4001,
  kBlocked = 4002,
  kSelfSend = 4003,
  kNotMember = 4004,
  kNameTaken = 4005,
  kNameInvalid = 4006,
  kForbidden = 4007,
  kGroupFull = 4008,
  // 5xxx das and stores
  kUnavailable = 5001,
  kDeadlineExceeded = 5002,
  kStoreDown = 5003,
  kOutcomeUnknown = 5004,
  kStoreFull = 5005,
  kNotDurable = 5107,
  kStoreSettings = 5108,
  kSchemaTooOld = 5201,
  kSchemaTooNew = 5202,
  kStoreLocked = 5203,
  kSchemaBroken = 5204,
  kInternal = 5900,
  // 6xxx placement
  kPlacementUnknown = 6002,
  kEntrySuspect = 6003,
  kBadIncarnation = 6004,
  kTopologyMismatch = 6005,
  // 7xxx limits, overload, drain
  kRateLimited = 7001,
  kTooManyConnections = 7002,
  kOverloaded = 7003,
  kDraining = 7004,
  kConnectRate = 7005,
  kDenied = 7006,
  kTooManyInFlight = 7007,
  kUnreachable = 7008,
  kSlowReader = 7009,
  // 8xxx configuration
  kConfigUnreadable = 8001,
  kConfigSyntax = 8002,
  kConfigDuplicateKey = 8003,
  kConfigUnknownKey = 8012,
  kConfigWrongType = 8013,
  kConfigMissingUnit = 8014,
  kConfigOutOfBounds = 8015,
  kConfigMissing = 8016,
  kUnsafeStart = 8031,
  kSecretReadable = 8032,
  kPortInUse = 8041,
  kLimitTooLow = 8042,
  // 9xxx tools
  kUsage = 9001,
  kUnknownProfile = 9002,
  kMissingPackage = 9003,
  kChildFailed = 9004,
  kTimedOut = 9005,
  kUnreachableServer = 9006,
  kNoVerdict = 9008,
};

/// What a refusal is about: how far the caller should back off.
enum class Scope : std::uint8_t { kConnection = 1, kUser = 2, kConversation = 3, kCluster = 4 };
/// Whether the refused work may have been done all the same.
enum class Outcome : std::uint8_t { kNotDone, kUnknown };
/// What the caller does next.
enum class RetryRule : std::uint8_t {
  kNever,        ///< the same request will be refused again
  kLater,        ///< after retry_after_ms, the same ids
  kOtherPeer,    ///< at once at one other peer, the same ids
  kInOrder,      ///< resend what stands before it first
  kReset,        ///< the defined reset (sync from scratch)
  kLogin,        ///< log in again
  kReconnect,    ///< open a new connection, with back-off
  kStop,         ///< do not reconnect; a person decides
  kPersonMends,  ///< configuration or tool use: a person mends it
};
enum class ErrorLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

/// One row of the table.
struct ErrorInfo {
  Errc code;
  std::string_view name;  ///< snake_case, stable: metrics' label, JSON
  Scope scope;
  Outcome outcome;
  RetryRule retry;
  int grpc_code;          ///< google.rpc.Code
  ErrorLevel level;       ///< how the daemon that meets it logs it
  std::string_view text;  ///< what happened, for a person
  std::string_view what_to_do;
};

/// The row of a code. A number that this build does not know gets the usual row of its range.
const ErrorInfo& error_info(Errc code);
/// All rows, ascending.
std::span<const ErrorInfo> error_table();
/// "HY-7001".
std::string error_code_text(Errc code);
/// "HY-7001 too fast …" and, when given, ": detail".
std::string error_text(Errc code, std::string_view detail = {});
std::string_view retry_rule_name(RetryRule rule);
std::string_view scope_name(Scope scope);

/// A failure as a value. `detail` may be logged: it never holds a body, a token or a key.
struct Error {
  Errc code = Errc::kInternal;
  std::string detail;
  std::chrono::milliseconds retry_after{0};
};

}  // namespace hy
