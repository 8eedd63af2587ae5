#include "common/rpc/credentials.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <array>
#include <fstream>
#include <utility>

namespace hy::rpc {
namespace {

namespace tls = grpc::experimental;

constexpr std::string_view kPrefix = "spiffe://hy/";
constexpr unsigned kReadAgainSeconds = 60;

/// Runs on gRPC's threads after the chain was verified.
class IdentityVerifier final : public tls::ExternalCertificateVerifier {
 public:
  IdentityVerifier(std::string role, std::string name)
      : role_(std::move(role)), name_(std::move(name)) {}

  bool Verify(tls::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    const auto uris = request->uri_names();
    std::optional<PeerIdentity> identity;
    if (uris.size() == 1) identity = parse_identity({uris[0].data(), uris[0].size()});
    const bool fits = identity && (role_.empty() || identity->role == role_) &&
                      (name_.empty() || identity->name == name_);
    *status = fits ? grpc::Status::OK
                   : grpc::Status(grpc::StatusCode::UNAUTHENTICATED,
                                  "the peer's certificate has another role or name");
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}

 private:
  std::string role_;
  std::string name_;
};

/// Whoever our CA has signed; roles are judged per method.
class AnyPeerVerifier final : public tls::ExternalCertificateVerifier {
 public:
  bool Verify(tls::TlsCustomVerificationCheckRequest*, std::function<void(grpc::Status)>,
              grpc::Status* status) override {
    *status = grpc::Status::OK;
    return true;
  }
  void Cancel(tls::TlsCustomVerificationCheckRequest*) override {}
};

Status readable(const TlsFiles& files) {
  for (const std::string* path : {&files.ca, &files.certificate, &files.key}) {
    std::ifstream in(*path, std::ios::binary);
    if (path->empty() || !in || in.peek() == std::ifstream::traits_type::eof()) {
      return fail(Errc::kConfigUnreadable, "TLS file \"" + *path + "\" cannot be read");
    }
  }
  return {};
}

std::shared_ptr<tls::CertificateProviderInterface> provider(const TlsFiles& files) {
  return std::make_shared<tls::FileWatcherCertificateProvider>(files.key, files.certificate,
                                                               files.ca, kReadAgainSeconds);
}

}  // namespace

std::optional<PeerIdentity> parse_identity(std::string_view uri) {
  if (!uri.starts_with(kPrefix)) return std::nullopt;
  uri.remove_prefix(kPrefix.size());
  std::array<std::string, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t slash = uri.find('/');
    if ((slash == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts.at(i) = std::string(uri.substr(0, slash));
    if (parts.at(i).empty()) return std::nullopt;
    uri.remove_prefix(slash == std::string_view::npos ? uri.size() : slash + 1);
  }
  return PeerIdentity{parts[0], parts[1], parts[2], parts[3]};
}

std::optional<PeerIdentity> identity_of(const grpc::AuthContext& context) {
  if (!context.IsPeerAuthenticated()) return std::nullopt;
  const auto values = context.FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  if (values.size() != 1) return std::nullopt;
  return parse_identity({values[0].data(), values[0].size()});
}

Result<std::shared_ptr<grpc::ServerCredentials>> server_credentials(const TlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureServerCredentials();
  HY_TRY_VOID(readable(files));
  tls::TlsServerCredentialsOptions options(provider(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.set_certificate_verifier(tls::ExternalCertificateVerifier::Create<AnyPeerVerifier>());
  options.set_check_call_host(false);
  auto credentials = tls::TlsServerCredentials(options);
  if (!credentials) return fail(Errc::kConfigUnreadable, "TLS settings are refused");
  return credentials;
}

Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(const TlsFiles& files,
                                                                      std::string role,
                                                                      std::string name) {
  if (!files.enabled()) return grpc::InsecureChannelCredentials();
  HY_TRY_VOID(readable(files));
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider(files));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(true);
  options.set_certificate_verifier(
      tls::ExternalCertificateVerifier::Create<IdentityVerifier>(std::move(role), std::move(name)));
  options.set_check_call_host(false);
  auto credentials = tls::TlsCredentials(options);
  if (!credentials) return fail(Errc::kConfigUnreadable, "TLS settings are refused");
  return credentials;
}

}  // namespace hy::rpc
