#include "logic/domain/payload_hash.h"

#include "common/crypto/hash.h"

namespace hy::logic {

PayloadHash payload_hash(std::uint32_t kind, std::string_view body) {
  return crypto::payload_hash(kind, as_bytes(body));
}

}  // namespace hy::logic
