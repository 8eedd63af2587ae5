#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/cluster.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "tests/support/raw_client.h"

namespace hy {

namespace pb = client::v1;

/// A user with a token for one device.
struct Somebody {
  Uid uid;
  std::string name;
  std::string device;
  Slot slot = Slot::kDesktop;
  Bytes token;
};

/// One small cluster (embedded engine) for all tests that misbehave on the wire. After every test
/// two strangers to it must be able to talk: nothing that a client sends may hurt others.
class WireTest : public testing::Test {
 public:
  static void TearDownTestSuite();

 protected:
  void SetUp() override;
  void TearDown() override;

  static const cli::ClusterLayout& layout();
  static std::filesystem::path folder();
  /// A user whom nobody has used yet.
  static Somebody somebody();
  static cli::Account with_password(const std::string& name);
  static raw::Client::Options options();
  static std::unique_ptr<raw::Client> connection();  ///< connected, nothing said
  static std::unique_ptr<raw::Client> channel();     ///< HANDSHAKE_2 read
  static pb::LoginRequest login_of(const Somebody& who);
  /// Logged in and synced once. Never null; a failure is a test failure.
  static std::unique_ptr<raw::Client> sign_in(const Somebody& who);

  static pb::SendRequest message_to(Uid to, std::string_view body);
  /// Messages of the pair, read by `who` through HISTORY: what the store holds.
  static std::vector<pb::Push> history(const Somebody& who, Uid peer);
  /// Two fresh people talk: SEND, PUSH, PUSH_ACK, RECEIPT.
  static void expect_people_talk();
};

/// The server ended the connection and said nothing.
#define EXPECT_CLOSES_SILENTLY(client) \
  EXPECT_EQ(hy::raw::end_name((client).wait_end()), "closed silently")

/// A refusal with this code, and the connection lives: PING is answered.
#define EXPECT_REFUSED(answer, expected)                                            \
  do {                                                                              \
    const auto& got = (answer);                                                     \
    EXPECT_FALSE(got.closed) << "closed instead of " << static_cast<int>(expected); \
    EXPECT_FALSE(got.timed_out) << "no answer";                                     \
    EXPECT_EQ(static_cast<int>(got.code), static_cast<int>(expected));              \
    EXPECT_NE(got.flags& hy::wire::kFlagRefused, 0);                                \
  } while (false)

}  // namespace hy
