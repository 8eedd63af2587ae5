#include "common/base/error.h"

#include <array>

namespace hy {
namespace {

/// The table. A switch without default: leaving out a code of Errc is a compile error (-Wswitch
/// -Werror).
// clang-format off
constexpr ErrorInfo row(Errc code) {
  switch (code) {
    case Errc::kOk:
      return {Errc::kOk, "ok", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 0, ErrorLevel::kDebug,
              "fine",
              "Nothing."};
    case Errc::kBadMagic:
      return {Errc::kBadMagic, "bad_magic", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "the first bytes are not Hongyan's; closed",
              "Is this a Hongyan client, and is the port right?"};
    case Errc::kBadVersion:
      return {Errc::kBadVersion, "bad_version", Scope::kConnection, Outcome::kNotDone, RetryRule::kStop, 3, ErrorLevel::kInfo,
              "the peer speaks another protocol version; closed",
              "Upgrade the client (the header's version must be 0x00010000)."};
    case Errc::kWrongState:
      return {Errc::kWrongState, "wrong_state", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 9, ErrorLevel::kInfo,
              "an outer command that is not legal in this state; closed",
              "A client bug: follow the state table of wire-protocol.md."};
    case Errc::kFrameTooLarge:
      return {Errc::kFrameTooLarge, "frame_too_large", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a frame longer than this state allows; closed",
              "Before login a body may have 1,024 bytes, after it 65,535."};
    case Errc::kBadFrame:
      return {Errc::kBadFrame, "bad_frame", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 3, ErrorLevel::kInfo,
              "a frame did not decrypt or decode; closed silently",
              "Nothing: somebody changed the bytes, or a client bug. Reconnect."};
    case Errc::kHandshakeFailed:
      return {Errc::kHandshakeFailed, "handshake_failed", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 3, ErrorLevel::kInfo,
              "the handshake did not verify; closed silently",
              "Check that the client pins this server's key."};
    case Errc::kUnknownServerKey:
      return {Errc::kUnknownServerKey, "unknown_server_key", Scope::kConnection, Outcome::kNotDone, RetryRule::kStop, 5, ErrorLevel::kInfo,
              "the client asked for a server key that this entry does not hold",
              "Give the client the current server key (hy key show)."};
    case Errc::kUnknownCommand:
      return {Errc::kUnknownCommand, "unknown_command", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 12, ErrorLevel::kInfo,
              "an inner type that this server does not know",
              "Upgrade the server, or do not use the command."};
    case Errc::kMalformedBody:
      return {Errc::kMalformedBody, "malformed_body", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a body that does not parse or lacks a field",
              "A client bug: compare with the .proto file of the command."};
    case Errc::kHandshakeTimeout:
      return {Errc::kHandshakeTimeout, "handshake_timeout", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 4, ErrorLevel::kDebug,
              "no finished handshake in time; closed",
              "Reconnect with back-off; look at the network if it repeats."};
    case Errc::kLoginTimeout:
      return {Errc::kLoginTimeout, "login_timeout", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 4, ErrorLevel::kDebug,
              "no finished login in time; closed",
              "Log in within the time that hongyan.toml gives (entry.login_within)."};
    case Errc::kBadCompression:
      return {Errc::kBadCompression, "bad_compression", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a compressed body that is not zstd, too large, or not allowed here; closed",
              "A client bug or a bomb: compress only after login and stay within the caps."};
    case Errc::kInvalidText:
      return {Errc::kInvalidText, "invalid_text", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a text field that is not valid UTF-8",
              "Send names as UTF-8; message bodies may hold any bytes."};
    case Errc::kSilentPeer:
      return {Errc::kSilentPeer, "silent_peer", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 4, ErrorLevel::kDebug,
              "nothing heard for 2.5 heartbeats; closed",
              "Reconnect; send PING at the interval given at login."};
    case Errc::kNotLoggedIn:
      return {Errc::kNotLoggedIn, "not_logged_in", Scope::kConnection, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "a command before login",
              "Log in first."};
    case Errc::kUnsupportedSuite:
      return {Errc::kUnsupportedSuite, "unsupported_suite", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 12, ErrorLevel::kInfo,
              "HELLO names a suite or pattern that does not exist; closed",
              "Use suite 1 or 2 and pattern 1."};
    case Errc::kConnectionTooOld:
      return {Errc::kConnectionTooOld, "connection_too_old", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 10, ErrorLevel::kDebug,
              "the connection reached its greatest age",
              "Reconnect: a new handshake brings new keys."};
    case Errc::kTokenMalformed:
      return {Errc::kTokenMalformed, "token_malformed", Scope::kConnection, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "the token has not the fixed layout",
              "Log in with name and password to get a new token."};
    case Errc::kTokenForged:
      return {Errc::kTokenForged, "token_forged", Scope::kConnection, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kWarn,
              "the token's signature does not verify",
              "Log in with name and password; if many appear, somebody is trying."};
    case Errc::kTokenExpired:
      return {Errc::kTokenExpired, "token_expired", Scope::kConnection, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "the token has expired",
              "Log in with name and password."};
    case Errc::kTokenMisused:
      return {Errc::kTokenMisused, "token_misused", Scope::kConnection, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "the token is for another slot, device, audience or kind",
              "Use each token on the device it was made for."};
    case Errc::kPasswordWrong:
      return {Errc::kPasswordWrong, "password_wrong", Scope::kUser, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "name or password is wrong",
              "Check both. After several failures the account waits."};
    case Errc::kLoginLocked:
      return {Errc::kLoginLocked, "login_locked", Scope::kUser, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kInfo,
              "too many failed logins",
              "Wait the stated time."};
    case Errc::kStaleEpoch:
      return {Errc::kStaleEpoch, "stale_epoch", Scope::kUser, Outcome::kNotDone, RetryRule::kReconnect, 10, ErrorLevel::kInfo,
              "a newer connection of this slot exists",
              "The SDK takes the stated counter plus one and tries once more."};
    case Errc::kRevoked:
      return {Errc::kRevoked, "revoked", Scope::kUser, Outcome::kNotDone, RetryRule::kLogin, 16, ErrorLevel::kInfo,
              "this sign-in was revoked",
              "Sign in again."};
    case Errc::kAuthUnavailable:
      return {Errc::kAuthUnavailable, "auth_unavailable", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 14, ErrorLevel::kWarn,
              "passwords cannot be checked while the store is away",
              "Log in with a token, or try again later."};
    case Errc::kAlreadyLoggedIn:
      return {Errc::kAlreadyLoggedIn, "already_logged_in", Scope::kConnection, Outcome::kNotDone, RetryRule::kNever, 9, ErrorLevel::kInfo,
              "a second login on one connection",
              "Open another connection."};
    case Errc::kGrantInvalid:
      return {Errc::kGrantInvalid, "grant_invalid", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 16, ErrorLevel::kWarn,
              "an entry sent a command without a valid grant for that user",
              "If it repeats, look at that entry: it may be broken or taken over."};
    case Errc::kKicked:
      return {Errc::kKicked, "kicked", Scope::kUser, Outcome::kNotDone, RetryRule::kStop, 10, ErrorLevel::kInfo,
              "signed in on another device of the same kind",
              "Not reconnecting. Sign in here to take over."};
    case Errc::kStaleSession:
      return {Errc::kStaleSession, "stale_session", Scope::kUser, Outcome::kNotDone, RetryRule::kStop, 10, ErrorLevel::kInfo,
              "this session was replaced by a newer sign-in",
              "Sign in again."};
    case Errc::kBanned:
      return {Errc::kBanned, "banned", Scope::kUser, Outcome::kNotDone, RetryRule::kStop, 7, ErrorLevel::kInfo,
              "this user is on the deny list",
              "Ask the operator."};
    case Errc::kPasswordUnfit:
      return {Errc::kPasswordUnfit, "password_unfit", Scope::kUser, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a password has 8 to 256 bytes",
              "Choose another one."};
    case Errc::kConflict:
      return {Errc::kConflict, "conflict", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 6, ErrorLevel::kInfo,
              "this client_msg_id was used for another message",
              "Send it again under a new id."};
    case Errc::kTooFar:
      return {Errc::kTooFar, "too_far", Scope::kConversation, Outcome::kNotDone, RetryRule::kReset, 11, ErrorLevel::kInfo,
              "the cursor is beyond what is kept",
              "The SDK resets this conversation and pulls its tail."};
    case Errc::kCursorAhead:
      return {Errc::kCursorAhead, "cursor_ahead", Scope::kConversation, Outcome::kNotDone, RetryRule::kReset, 11, ErrorLevel::kInfo,
              "the cursor is ahead of the conversation (restored server?)",
              "The SDK resets this conversation and pulls its tail."};
    case Errc::kMessageNotFound:
      return {Errc::kMessageNotFound, "message_not_found", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 5, ErrorLevel::kDebug,
              "no such message",
              "Check the id; it may never have been stored."};
    case Errc::kRangeInvalid:
      return {Errc::kRangeInvalid, "range_invalid", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "from must not be above to, and both start at 1",
              "A client bug."};
    case Errc::kBodyTooLarge:
      return {Errc::kBodyTooLarge, "body_too_large", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kInfo,
              "a message body may have 16 KiB",
              "Split it, or send a link."};
    case Errc::kMembersChanged:
      return {Errc::kMembersChanged, "members_changed", Scope::kConversation, Outcome::kNotDone, RetryRule::kOtherPeer, 10, ErrorLevel::kDebug,
              "the members changed while the message was on its way",
              "Judged again by logic; clients do not see this code."};
    case Errc::kGap:
      return {Errc::kGap, "gap", Scope::kConversation, Outcome::kNotDone, RetryRule::kInOrder, 9, ErrorLevel::kInfo,
              "an earlier message of this conversation is not stored yet",
              "The outbox resends in order."};
    case Errc::kUnknownUser:
      return {Errc::kUnknownUser, "unknown_user", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 5, ErrorLevel::kDebug,
              "no such user",
              "Check the name or the number."};
    case Errc::kBlocked:
      return {Errc::kBlocked, "blocked", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 7, ErrorLevel::kDebug,
              "the receiver accepts no messages from the sender",
              "Nothing was sent."};
    case Errc::kSelfSend:
      return {Errc::kSelfSend, "self_send", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kDebug,
              "a message to oneself",
              "Choose another receiver."};
    case Errc::kNotMember:
      return {Errc::kNotMember, "not_member", Scope::kConversation, Outcome::kNotDone, RetryRule::kNever, 7, ErrorLevel::kDebug,
              "not a member of this conversation",
              "Join it first."};
    case Errc::kNameTaken:
      return {Errc::kNameTaken, "name_taken", Scope::kUser, Outcome::kNotDone, RetryRule::kNever, 6, ErrorLevel::kDebug,
              "this name belongs to another user",
              "Choose another name."};
    case Errc::kNameInvalid:
      return {Errc::kNameInvalid, "name_invalid", Scope::kUser, Outcome::kNotDone, RetryRule::kNever, 3, ErrorLevel::kDebug,
              "a name has 1 to 64 bytes of UTF-8 without control characters",
              "Choose another name."};
    case Errc::kForbidden:
      return {Errc::kForbidden, "forbidden", Scope::kUser, Outcome::kNotDone, RetryRule::kNever, 7, ErrorLevel::kWarn,
              "the caller may not do this",
              "Use the right role, certificate or operator token."};
    case Errc::kGroupFull:
      return {Errc::kGroupFull, "group_full", Scope::kUser, Outcome::kNotDone, RetryRule::kNever, 8, ErrorLevel::kInfo,
              "the group has no room for so many members",
              "Remove somebody first, or raise logic.group_members_max."};
    case Errc::kUnavailable:
      return {Errc::kUnavailable, "unavailable", Scope::kCluster, Outcome::kUnknown, RetryRule::kOtherPeer, 14, ErrorLevel::kWarn,
              "no server of that tier answers",
              "Nothing by hand: the same ids are sent again. Operators: hy ps, /readyz."};
    case Errc::kDeadlineExceeded:
      return {Errc::kDeadlineExceeded, "deadline_exceeded", Scope::kCluster, Outcome::kUnknown, RetryRule::kLater, 4, ErrorLevel::kWarn,
              "no answer in time; it may or may not be done",
              "The same ids are sent again."};
    case Errc::kStoreDown:
      return {Errc::kStoreDown, "store_down", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 14, ErrorLevel::kWarn,
              "the store is unavailable",
              "Messages between online devices go on as RELAYED; the outbox resubmits. Operators: look at the store."};
    case Errc::kOutcomeUnknown:
      return {Errc::kOutcomeUnknown, "outcome_unknown", Scope::kCluster, Outcome::kUnknown, RetryRule::kLater, 14, ErrorLevel::kWarn,
              "it may or may not be stored",
              "The same id is sent again and gets the first answer."};
    case Errc::kStoreFull:
      return {Errc::kStoreFull, "store_full", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kError,
              "the store's disk is full",
              "Make room; messages stay in the outboxes until then."};
    case Errc::kNotDurable:
      return {Errc::kNotDurable, "not_durable", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "with these store settings STORED would not mean on disk",
              "Set the named variable, or das.durability = \"warn\" if you accept the loss."};
    case Errc::kStoreSettings:
      return {Errc::kStoreSettings, "store_settings", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "a setting of the store does not fit",
              "Set the named variable to the wanted value."};
    case Errc::kSchemaTooOld:
      return {Errc::kSchemaTooOld, "schema_too_old", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "the store's schema is older than this das",
              "Run: hy schema apply"};
    case Errc::kSchemaTooNew:
      return {Errc::kSchemaTooNew, "schema_too_new", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "the store's schema is newer than this das",
              "Upgrade das; an older one never writes to a newer schema."};
    case Errc::kStoreLocked:
      return {Errc::kStoreLocked, "store_locked", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 10, ErrorLevel::kError,
              "another das has this store file open",
              "An embedded store has one das. Stop the other one first."};
    case Errc::kSchemaBroken:
      return {Errc::kSchemaBroken, "schema_broken", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 15, ErrorLevel::kError,
              "a migration's checksum is not the one that was applied",
              "Someone edited a migration: restore the released files."};
    case Errc::kInternal:
      return {Errc::kInternal, "internal", Scope::kCluster, Outcome::kUnknown, RetryRule::kLater, 13, ErrorLevel::kError,
              "a defect of ours",
              "Report it with the trace id and the logs of that second."};
    case Errc::kPlacementUnknown:
      return {Errc::kPlacementUnknown, "placement_unknown", Scope::kConversation, Outcome::kNotDone, RetryRule::kOtherPeer, 14, ErrorLevel::kInfo,
              "nobody can say yet where the receiver is",
              "Nothing: the message is stored and will be pushed or synced."};
    case Errc::kEntrySuspect:
      return {Errc::kEntrySuspect, "entry_suspect", Scope::kConversation, Outcome::kNotDone, RetryRule::kOtherPeer, 14, ErrorLevel::kInfo,
              "the receiver's entry is silent",
              "Nothing: sync brings the message."};
    case Errc::kBadIncarnation:
      return {Errc::kBadIncarnation, "bad_incarnation", Scope::kCluster, Outcome::kNotDone, RetryRule::kNever, 9, ErrorLevel::kError,
              "another process runs under this entry's name",
              "Give every entry its own number in topology.toml."};
    case Errc::kTopologyMismatch:
      return {Errc::kTopologyMismatch, "topology_mismatch", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "the peer has another topology version",
              "Bring topology.toml up to date on all hosts."};
    case Errc::kRateLimited:
      return {Errc::kRateLimited, "rate_limited", Scope::kUser, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kInfo,
              "too fast",
              "Wait the stated time."};
    case Errc::kTooManyConnections:
      return {Errc::kTooManyConnections, "too_many_connections", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kWarn,
              "this entry is full",
              "Try another entry after the stated time."};
    case Errc::kOverloaded:
      return {Errc::kOverloaded, "overloaded", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kWarn,
              "too much work is waiting",
              "Wait the stated time; the SDK does."};
    case Errc::kDraining:
      return {Errc::kDraining, "draining", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 14, ErrorLevel::kInfo,
              "this entry is about to stop",
              "Connect to another entry after the stated wait."};
    case Errc::kConnectRate:
      return {Errc::kConnectRate, "connect_rate", Scope::kConnection, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kInfo,
              "too many connections from this address; closed",
              "Wait; behind a shared address raise entry.connect_per_ip."};
    case Errc::kDenied:
      return {Errc::kDenied, "denied", Scope::kConnection, Outcome::kNotDone, RetryRule::kStop, 7, ErrorLevel::kInfo,
              "this address is on the deny list; closed",
              "Ask the operator."};
    case Errc::kTooManyInFlight:
      return {Errc::kTooManyInFlight, "too_many_in_flight", Scope::kConnection, Outcome::kNotDone, RetryRule::kLater, 8, ErrorLevel::kInfo,
              "too many unanswered requests on this connection",
              "Wait for answers before sending more."};
    case Errc::kUnreachable:
      return {Errc::kUnreachable, "unreachable", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 14, ErrorLevel::kInfo,
              "the device did not confirm a push in time; closed",
              "Nothing: the message is stored, the next sync brings it."};
    case Errc::kSlowReader:
      return {Errc::kSlowReader, "slow_reader", Scope::kConnection, Outcome::kNotDone, RetryRule::kReconnect, 8, ErrorLevel::kInfo,
              "the device reads too slowly; closed",
              "Reconnect and sync."};
    case Errc::kConfigUnreadable:
      return {Errc::kConfigUnreadable, "config_unreadable", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "a configuration file cannot be read",
              "Check path and permissions."};
    case Errc::kConfigSyntax:
      return {Errc::kConfigSyntax, "config_syntax", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "not valid TOML",
              "Mend the marked place."};
    case Errc::kConfigDuplicateKey:
      return {Errc::kConfigDuplicateKey, "config_duplicate_key", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "the same key twice",
              "Keep one of them."};
    case Errc::kConfigUnknownKey:
      return {Errc::kConfigUnknownKey, "unknown_key", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "unknown key",
              "Use the near name, or remove the line."};
    case Errc::kConfigWrongType:
      return {Errc::kConfigWrongType, "wrong_type", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "a value of the wrong type",
              "Write the value in the shown form."};
    case Errc::kConfigMissingUnit:
      return {Errc::kConfigMissingUnit, "missing_unit", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "a duration, size or rate needs its unit",
              "Write for example \"30s\", \"256KiB\" or \"20/s burst 50\"."};
    case Errc::kConfigOutOfBounds:
      return {Errc::kConfigOutOfBounds, "out_of_bounds", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 11, ErrorLevel::kError,
              "a value out of its bounds",
              "Choose a value inside the shown range."};
    case Errc::kConfigMissing:
      return {Errc::kConfigMissing, "config_missing", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "a required key is not set",
              "Set it; the default file shows an example."};
    case Errc::kUnsafeStart:
      return {Errc::kUnsafeStart, "unsafe_start", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "this start would be unsafe",
              "Follow the named command."};
    case Errc::kSecretReadable:
      return {Errc::kSecretReadable, "secret_readable", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 7, ErrorLevel::kError,
              "others can read a secret file",
              "chmod 600 the file."};
    case Errc::kPortInUse:
      return {Errc::kPortInUse, "port_in_use", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 6, ErrorLevel::kError,
              "the address is in use",
              "Stop the other process, or choose another port below 32768."};
    case Errc::kLimitTooLow:
      return {Errc::kLimitTooLow, "limit_too_low", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "a limit of this host is too low for the configuration",
              "Raise the limit, or lower the key."};
    case Errc::kUsage:
      return {Errc::kUsage, "usage", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 3, ErrorLevel::kError,
              "the command was not understood",
              "See --help."};
    case Errc::kUnknownProfile:
      return {Errc::kUnknownProfile, "unknown_profile", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 5, ErrorLevel::kError,
              "no such profile; nothing was contacted",
              "Use the near name, or hy profile add."};
    case Errc::kMissingPackage:
      return {Errc::kMissingPackage, "missing_package", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "a program that is needed is not installed",
              "Run the shown apt-get line."};
    case Errc::kChildFailed:
      return {Errc::kChildFailed, "child_failed", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 13, ErrorLevel::kError,
              "a daemon ended unexpectedly",
              "Read its log, shown above."};
    case Errc::kTimedOut:
      return {Errc::kTimedOut, "timed_out", Scope::kCluster, Outcome::kUnknown, RetryRule::kLater, 4, ErrorLevel::kError,
              "it did not happen in time",
              "Look at the state with hy ps, then try again."};
    case Errc::kUnreachableServer:
      return {Errc::kUnreachableServer, "unreachable_server", Scope::kCluster, Outcome::kNotDone, RetryRule::kLater, 14, ErrorLevel::kError,
              "no entry answers",
              "Is the cluster up? hy ps; check the address and the port."};
    case Errc::kNoVerdict:
      return {Errc::kNoVerdict, "no_verdict", Scope::kCluster, Outcome::kNotDone, RetryRule::kPersonMends, 9, ErrorLevel::kError,
              "the generator was the limit; no figure is shown as a result",
              "Lower the rate, or add generators."};
  }
  return {};
}
// clang-format on

// Codes live in these windows; scanning them makes the list without naming each code twice.
struct Window {
  int first;
  int last;
};
constexpr std::array<Window, 11> kWindows = {{{0, 0},
                                              {1000, 1049},
                                              {2000, 2049},
                                              {3000, 3029},
                                              {4000, 4029},
                                              {5000, 5029},
                                              {5100, 5129},
                                              {5200, 5229},
                                              {5900, 5900},
                                              {6000, 6029},
                                              {7000, 7029}}};
constexpr std::array<Window, 2> kToolWindows = {{{8000, 8049}, {9000, 9019}}};

constexpr bool is_row(int number) {
  return !row(static_cast<Errc>(number)).name.empty();
}

template <class Visit>
constexpr void for_each_code(Visit visit) {
  for (const Window w : kWindows) {
    for (int n = w.first; n <= w.last; ++n) {
      if (is_row(n)) visit(n);
    }
  }
  for (const Window w : kToolWindows) {
    for (int n = w.first; n <= w.last; ++n) {
      if (is_row(n)) visit(n);
    }
  }
}

constexpr std::size_t count_rows() {
  std::size_t count = 0;
  for_each_code([&count](int) { ++count; });
  return count;
}

constexpr std::size_t kRows = count_rows();

constexpr std::array<ErrorInfo, kRows> make_table() {
  std::array<ErrorInfo, kRows> table{};
  std::size_t i = 0;
  for_each_code([&](int n) { table[i++] = row(static_cast<Errc>(n)); });
  return table;
}

constexpr std::array<ErrorInfo, kRows> kTable = make_table();

/// Every row says something, and stands under its own number.
constexpr bool table_is_sound() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    const ErrorInfo& e = kTable[i];
    if (e.text.empty() || e.what_to_do.empty() || e.name.empty()) return false;
    if (i > 0 && !(kTable[i - 1].code < e.code)) return false;
    for (std::size_t k = 0; k < i; ++k) {
      if (kTable[k].name == e.name) return false;
    }
  }
  return true;
}
static_assert(table_is_sound());
static_assert(kRows == 93, "a code outside the windows is not in the table: widen kWindows");

/// The usual row of a range, for codes of a newer peer.
constexpr Errc usual_of_range(int number) {
  switch (number / 1000) {
    case 1: return Errc::kBadFrame;
    case 2: return Errc::kRevoked;
    case 3: return Errc::kMessageNotFound;
    case 4: return Errc::kForbidden;
    case 5: return Errc::kUnavailable;
    case 6: return Errc::kPlacementUnknown;
    case 7: return Errc::kOverloaded;
    case 8: return Errc::kConfigSyntax;
    case 9: return Errc::kUsage;
    default: return Errc::kInternal;
  }
}

}  // namespace

const ErrorInfo& error_info(Errc code) {
  for (const ErrorInfo& e : kTable) {
    if (e.code == code) return e;
  }
  const Errc usual = usual_of_range(static_cast<int>(code));
  for (const ErrorInfo& e : kTable) {
    if (e.code == usual) return e;
  }
  return kTable.front();
}

std::span<const ErrorInfo> error_table() {
  return kTable;
}

std::string error_code_text(Errc code) {
  return "HY-" + std::to_string(static_cast<int>(code));
}

std::string error_text(Errc code, std::string_view detail) {
  std::string out = error_code_text(code) + " ";
  out += error_info(code).text;
  if (!detail.empty()) {
    out += ": ";
    out += detail;
  }
  return out;
}

std::string_view retry_rule_name(RetryRule rule) {
  switch (rule) {
    case RetryRule::kNever: return "never";
    case RetryRule::kLater: return "later";
    case RetryRule::kOtherPeer: return "other_peer";
    case RetryRule::kInOrder: return "in_order";
    case RetryRule::kReset: return "reset";
    case RetryRule::kLogin: return "login";
    case RetryRule::kReconnect: return "reconnect";
    case RetryRule::kStop: return "stop";
    case RetryRule::kPersonMends: return "person_mends";
  }
  return "never";
}

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::kConnection: return "connection";
    case Scope::kUser: return "user";
    case Scope::kConversation: return "conversation";
    case Scope::kCluster: return "cluster";
  }
  return "cluster";
}

}  // namespace hy
