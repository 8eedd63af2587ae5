#include "logic/domain/grant.h"

#include "common/base/check.h"
#include "common/crypto/hash.h"

namespace hy::logic {
namespace {

constexpr std::size_t kSeedBytes = 32;
/// Where the next entry's connections begin in the table: odd, so that all of it is used.
constexpr std::size_t kRowsPerEntry = 2'731;

wire::GrantKey key_of(const Secret& token_seed) {
  HY_CHECK(token_seed.size() == kSeedBytes);
  return wire::GrantKey::from_token_seed(as_bytes(token_seed.reveal()).first<kSeedBytes>());
}

wire::GrantFacts facts_of(const SessionInfo& session, EntryId entry, ConnId conn) {
  return {.uid = session.uid,
          .slot = session.slot,
          .epoch = {session.auth_epoch, session.conn_counter},
          .entry = entry,
          .conn = conn,
          .expires_s = session.grant_expires_s};
}

}  // namespace

Grants::Grants(const Secret& token_seed, std::chrono::seconds life)
    : key_(key_of(token_seed)), proven_(kProvenRows), life_(life) {}

void Grants::give(SessionInfo& session, EntryId entry, ConnId conn, std::int64_t now_s) const {
  session.grant_expires_s = now_s + life_.count();
  session.grant = key_.make(facts_of(session, entry, conn));
}

Status Grants::check(const SessionInfo& session, EntryId entry, ConnId conn,
                     std::int64_t now_s) const {
  Proven& row =
      proven_[((conn.value() >> 32) + entry.value() * std::uint64_t{kRowsPerEntry}) % kProvenRows];
  const Proven asked{session, entry, conn};
  if (row == asked && session.grant_expires_s >= now_s) return {};
  HY_TRY_VOID(key_.check(facts_of(session, entry, conn), session.grant, now_s));
  row = asked;
  return {};
}

bool is_operator(const Secret& expected, std::string_view given) {
  return !expected.empty() &&
         crypto::equal_constant_time(as_bytes(expected.reveal()), as_bytes(given));
}

}  // namespace hy::logic
