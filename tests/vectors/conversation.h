#pragma once

#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace hy::vectors {

/// One frame of the recorded conversation.
struct RecordedFrame {
  std::string name;
  bool from_client = true;
  bool is_data = true;  ///< the fields below the line belong to DATA frames
  std::uint64_t n = 0;  ///< nonce counter of its direction
  std::uint16_t type = 0;
  std::uint16_t flags = 0;  ///< as on the wire
  std::uint32_t request_id = 0;
  Bytes body;   ///< protobuf, or as compressed
  Bytes inner;  ///< with padding
  Bytes wire;   ///< header and body of the outer frame
};

/// One handshake, login, send, push, acknowledgement, receipt, ping and refusal with fixed keys:
/// the normative vectors of docs/reference/wire-protocol.md, made by the production code.
struct Conversation {
  std::vector<std::pair<std::string, std::string>> facts;  ///< name, value: keys, token, notice
  std::vector<RecordedFrame> frames;
  Bytes server_private;
  Bytes client_ephemeral;
  Bytes server_ephemeral;
};

Conversation record_conversation(std::uint8_t suite);
std::string to_json(const Conversation& conversation);
/// The block of the page between its markers.
std::string to_markdown(const Conversation& conversation);

}  // namespace hy::vectors
