#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/unit/rpc/rpc_fixture.h"

namespace hy::rpc::testing {
namespace {

/// A certificate authority in a folder, driven through the openssl command.
class Authority {
 public:
  explicit Authority(const std::string& prefix) : prefix_(prefix) {
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "
        "/CN=test-ca -keyout " +
        ca_key() + " -out " + ca());
  }
  /// days < 0: expired that many days ago.
  TlsFiles issue(const std::string& name, const std::string& uri, int days = 30) {
    const std::string key = dir_ / (prefix_ + name + ".key");
    const std::string request = dir_ / (prefix_ + name + ".csr");
    const std::string certificate = dir_ / (prefix_ + name + ".pem");
    const std::string extensions = dir_ / (prefix_ + name + ".ext");
    std::ofstream(extensions) << "subjectAltName=URI:" << uri << "\n";
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + name +
        " -keyout " + key + " -out " + request);
    run("openssl x509 -req -in " + request + " -CA " + ca() + " -CAkey " + ca_key() +
        " -CAcreateserial -days " + std::to_string(days) + " -extfile " + extensions + " -out " +
        certificate);
    return {ca(), certificate, key};
  }
  [[nodiscard]] std::string ca() const { return dir_ / (prefix_ + "ca.pem"); }

  static int exit_code(const std::string& command) {
    return std::system(("( " + command + " ) >/dev/null 2>&1 </dev/null").c_str());
  }

 private:
  static void run(const std::string& command) { ASSERT_EQ(exit_code(command), 0) << command; }
  [[nodiscard]] std::string ca_key() const { return dir_ / (prefix_ + "ca.key"); }
  TempDir dir_;
  std::string prefix_;
};

std::string uri_of(const std::string& role, const std::string& name) {
  return "spiffe://hy/demo/sh/" + role + "/" + name;
}

class RpcTls : public ::testing::Test {
 protected:
  RpcTls() : authority("a-"), server_files(authority.issue("router-a", uri_of("router", "a"))) {}

  void start() {
    echo = std::make_unique<EchoServer>("127.0.0.1:0", server_files);
    ASSERT_TRUE(echo->server.start());
  }
  ClientOptions options(TlsFiles files) const {
    ClientOptions o;
    o.target = echo->target();
    o.method = kMethod;
    o.tls = std::move(files);
    o.peer_role = "router";
    o.backoff_max = Millis{100};
    return o;
  }
  /// A good client comes up after the bad one had its time to, so nothing is a matter of patience.
  void expect_refused(const ClientOptions& bad) {
    Caller bad_caller;
    Client client(thread.loop, bad, bad_caller);
    client.start();
    Caller good_caller;
    Client good(thread.loop, options(authority.issue("logic-a", uri_of("logic", "a"))),
                good_caller);
    good.start();
    ASSERT_TRUE(eventually([&] { return good_caller.ups == 1; }));
    client.stop();
    EXPECT_EQ(bad_caller.ups, 0);
    // A client may be up before the server has made its handler.
    EXPECT_TRUE(eventually([&] { return echo->counters.opened >= 1; }));
    EXPECT_EQ(echo->counters.opened, 1);
  }

  Authority authority;
  TlsFiles server_files;
  std::unique_ptr<EchoServer> echo;
  LoopThread thread;
};

TEST_F(RpcTls, BothSidesKnowEachOther) {
  start();
  Caller caller;
  caller.up_hook = [&] { caller.ask(1); };
  ClientOptions o = options(authority.issue("logic-a", uri_of("logic", "a")));
  o.peer_name = "a";
  Client client(thread.loop, o, caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.answers == 1; }));
  const std::lock_guard lock(echo->counters.mutex);
  EXPECT_EQ(echo->counters.last_peer.role, "logic");
  EXPECT_EQ(echo->counters.last_peer.name, "a");
  EXPECT_TRUE(echo->counters.last_peer.authenticated);
}

TEST_F(RpcTls, AnotherRoleIsRefused) {
  start();
  expect_refused(options(authority.issue("web-a", uri_of("web", "a"))));
}

TEST_F(RpcTls, ANameOfAnotherFormIsRefused) {
  start();
  expect_refused(options(authority.issue("odd", "spiffe://hy/demo/logic")));
}

TEST_F(RpcTls, AnExpiredCertificateIsRefused) {
  start();
  expect_refused(options(authority.issue("old", uri_of("logic", "a"), -1)));
}

TEST_F(RpcTls, AnotherAuthorityIsRefused) {
  start();
  Authority other("b-");
  TlsFiles files = other.issue("logic-a", uri_of("logic", "a"));
  files.ca = authority.ca();
  expect_refused(options(files));
}

TEST_F(RpcTls, PlainTextIsRefused) {
  start();
  expect_refused(options(TlsFiles{}));
}

TEST_F(RpcTls, AServerOfAnotherRoleOrNameIsNotTrusted) {
  server_files = authority.issue("das-a", uri_of("router", "z"));
  start();
  ClientOptions wrong_name = options(authority.issue("logic-b", uri_of("logic", "b")));
  wrong_name.peer_name = "a";
  expect_refused(wrong_name);
  ClientOptions wrong_role = options(authority.issue("logic-c", uri_of("logic", "c")));
  wrong_role.peer_role = "das";
  Caller caller;
  Client client(thread.loop, wrong_role, caller);
  client.start();
  Caller good_caller;
  Client good(thread.loop, options(authority.issue("logic-d", uri_of("logic", "d"))), good_caller);
  good.start();
  ASSERT_TRUE(eventually([&] { return good_caller.ups == 1; }));
  EXPECT_EQ(caller.ups, 0);
}

TEST_F(RpcTls, Tls12IsRefused) {
  start();
  const TlsFiles files = authority.issue("logic-a", uri_of("logic", "a"));
  const std::string base = "timeout 5 openssl s_client -connect " + echo->target() + " -CAfile " +
                           files.ca + " -cert " + files.certificate + " -key " + files.key +
                           " -alpn h2 ";
  EXPECT_EQ(Authority::exit_code(base + "-tls1_3"), 0);
  EXPECT_NE(Authority::exit_code(base + "-tls1_2"), 0);
}

TEST_F(RpcTls, AClientWithoutACertificateIsSentAway) {
  start();
  EXPECT_EQ(
      Authority::exit_code("timeout 5 openssl s_client -connect " + echo->target() + " -CAfile " +
                           authority.ca() + " -alpn h2 -ign_eof 2>&1 | grep -q 'unexpected eof'"),
      0);
}

TEST_F(RpcTls, MissingFilesAreToldAtStart) {
  server_files.key += ".none";
  EchoServer bad("127.0.0.1:0", server_files);
  const Status status = bad.server.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kConfigUnreadable);
}

}  // namespace
}  // namespace hy::rpc::testing
