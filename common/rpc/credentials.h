#pragma once

#include <grpcpp/security/auth_context.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/rpc/stream.h"

namespace hy::rpc {

/// spiffe://hy/<cluster>/<idc>/<role>/<name>, security.md §8.
struct PeerIdentity {
  std::string cluster;
  std::string idc;
  std::string role;
  std::string name;
};
/// nullopt: not of that form.
std::optional<PeerIdentity> parse_identity(std::string_view uri);
/// From the one URI SAN of the peer's certificate. nullopt: none, several, or another form.
std::optional<PeerIdentity> identity_of(const grpc::AuthContext& context);

/// Mutual TLS 1.3; a client without a certificate of our CA does not get past the handshake. The
/// files are read again when they change. Errors: kConfigUnreadable.
Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const TlsFiles& files);

/// The server's certificate must be of our CA and carry this role, and this name unless empty. Host
/// names play no part.
Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(const TlsFiles& files,
                                                                      std::string role,
                                                                      std::string name);

}  // namespace hy::rpc
