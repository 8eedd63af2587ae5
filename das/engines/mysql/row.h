#pragma once

#include <cppconn/sqlstring.h>

#include <string>
#include <string_view>

#include "common/base/ids.h"

/// From the connector's strings to ours.
namespace hy::das::mysql {

inline Bytes bytes_of(const sql::SQLString& bytes) {
  return Bytes(bytes.c_str(), bytes.length());
}
inline ConversationId conv_of(const sql::SQLString& bytes) {
  return ConversationId::from_bytes(std::string_view(bytes.c_str(), bytes.length()));
}
inline ClientMsgId id_of(const sql::SQLString& bytes) {
  return ClientMsgId::from_bytes(std::string_view(bytes.c_str(), bytes.length()));
}
inline std::string text(std::string_view view) {
  return std::string(view);
}

}  // namespace hy::das::mysql
