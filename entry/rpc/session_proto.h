#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "entry/ports/traffic.h"
#include "hy/common/v1/envelope.pb.h"

namespace hy::entry {

inline void to_proto(const Session& session, common::v1::Session& out) {
  out.set_uid(session.uid.value());
  out.set_slot(static_cast<std::uint32_t>(session.slot));
  out.set_auth_epoch(session.epoch.auth);
  out.set_conn_counter(session.epoch.conn);
  out.set_grant_expires_s(session.grant_expires_s);
  out.set_grant(std::string(as_text(session.grant)));
}

/// A grant of another length than 16 is cut or filled with zeros: logic will refuse it, not we.
inline Session from_proto(const common::v1::Session& in) {
  Session out;
  out.uid = Uid{in.uid()};
  out.slot = is_valid_slot(in.slot()) ? static_cast<Slot>(in.slot()) : Slot::kNone;
  out.epoch = {in.auth_epoch(), in.conn_counter()};
  out.grant_expires_s = in.grant_expires_s();
  std::memcpy(out.grant.data(), in.grant().data(), std::min(in.grant().size(), out.grant.size()));
  return out;
}

}  // namespace hy::entry
