#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "client/cli/private_folder.h"
#include "client/cli/process.h"
#include "tests/e2e/cluster_fixture.h"

namespace hy::cli {
namespace {

/// The program `hy` itself, as a shell would run it.
class CommandTest : public ClusterTest {
 protected:
  static Finished hy(std::vector<std::string> arguments) {
    Command command;
    command.argv = {std::string(HY_BUILD_DIR) + "/bin/hy"};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.argv.insert(command.argv.end(), {"--profile", "e2e"});
    const auto done = run(command, Millis(60'000));
    return done ? *done : Finished{-1, done.error().detail};
  }
};

TEST_P(CommandTest, SendDeliveredMeansThatRecvHasIt) {
  auto receiver = std::async(std::launch::async, [] {
    return hy({"recv", "-u", "carol", "--count", "2", "--timeout", "30s", "-o", "jsonl"});
  });
  const Finished one = hy({"send", "-u", "alice", "carol", "你好", "carol", "--wait", "delivered"});
  EXPECT_EQ(one.code, 0) << one.output;
  const Finished two = hy({"send", "-u", "bob", "carol", "hi", "--wait", "delivered", "-v"});
  EXPECT_EQ(two.code, 0) << two.output;
  EXPECT_NE(two.output.find("R you   SEND"), std::string::npos) << two.output;
  EXPECT_NE(two.output.find("RECEIPT"), std::string::npos) << two.output;
  const Finished got = receiver.get();
  EXPECT_EQ(got.code, 0) << got.output;
  EXPECT_NE(got.output.find("\"from\":\"alice\""), std::string::npos) << got.output;
  EXPECT_NE(got.output.find("\"text\":\"你好 carol\""), std::string::npos) << got.output;
}

TEST_P(CommandTest, ExitCodesTellWhatHappened) {
  EXPECT_EQ(hy({"send", "-u", "alice", "987654321", "hi"}).code, 5) << "refused";
  const Finished unknown = hy({"send", "-u", "alice", "no-such-person", "hi"});
  EXPECT_EQ(unknown.code, 5) << unknown.output;
  EXPECT_NE(unknown.output.find("HY-4001"), std::string::npos) << unknown.output;
  EXPECT_EQ(hy({"recv", "-u", "carol", "--count", "1000", "--timeout", "1s"}).code, 7);
  EXPECT_EQ(hy({"send", "-u", "nobody", "bob", "hi"}).code, 5) << "not signed in";
  EXPECT_EQ(hy({"whoami", "-u", "alice"}).code, 0);
  EXPECT_EQ(hy({"ps"}).code, 0);
}

TEST_P(CommandTest, LinesKeepTheirOrderAndHistoryShowsThem) {
  Command command;
  command.argv = {"/bin/sh", "-c",
                  "printf 'one\\ntwo\\nthree\\n' | '" + std::string(HY_BUILD_DIR) +
                      "/bin/hy' send -u bob carol --stdin --lines --profile e2e"};
  const auto sent = run(command, Millis(60'000));
  ASSERT_TRUE(sent);
  EXPECT_EQ(sent->code, 0) << sent->output;
  const Finished history = hy({"history", "-u", "carol", "bob", "--last", "3", "-o", "jsonl"});
  EXPECT_EQ(history.code, 0) << history.output;
  const auto one = history.output.find("\"text\":\"one\"");
  const auto two = history.output.find("\"text\":\"two\"");
  const auto three = history.output.find("\"text\":\"three\"");
  ASSERT_NE(one, std::string::npos) << history.output;
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
  EXPECT_EQ(hy({"recents", "-u", "carol"}).code, 0);
  EXPECT_EQ(hy({"outbox", "-u", "bob"}).code, 0);
}

TEST_P(CommandTest, AccountsAreMadeAndSignedIn) {
  const Finished added = hy({"user", "add", "grace", "-o", "jsonl"});
  ASSERT_EQ(added.code, 0) << added.output;
  const std::string key = "\"password\":\"";
  const auto at = added.output.find(key);
  ASSERT_NE(at, std::string::npos);
  const std::string password = added.output.substr(
      at + key.size(), added.output.find('"', at + key.size()) - at - key.size());
  Command login;
  login.argv = {"/bin/sh", "-c",
                "echo " + password + " | '" + std::string(HY_BUILD_DIR) +
                    "/bin/hy' login grace --profile e2e"};
  const auto in = run(login, Millis(60'000));
  ASSERT_TRUE(in);
  EXPECT_EQ(in->code, 0) << in->output;
  EXPECT_EQ(hy({"send", "-u", "grace", "bob", "from a token"}).code, 0);
  EXPECT_EQ(hy({"user", "add", "grace"}).code, 5) << "the name is taken";
  EXPECT_EQ(hy({"user", "find", "grace"}).code, 0);
  EXPECT_EQ(hy({"user", "find", "grace", "nobody-else"}).code, 3);
}

TEST_P(CommandTest, ImportMakesManyUsersWithTokens) {
  const std::string file = scratch("users.tsv");
  const Finished done =
      hy({"user", "import", "--prefix", "load", "--count", "1200", "--file", file});
  ASSERT_EQ(done.code, 0) << done.output;
  const auto text = read_file(file);
  ASSERT_TRUE(text);
  EXPECT_EQ(std::ranges::count(*text, '\n'), 1'201);
  const std::string last = text->substr(text->rfind('\t') + 1);
  EXPECT_EQ(last.size(), 2u * 144 + 1) << last;
}

TEST_P(CommandTest, TraceTellsTheHopsOfAMessage) {
  const auto sent = stage().say("alice", "bob", "trace me");
  ASSERT_TRUE(sent);
  ASSERT_TRUE(sent->wait(Step::kDelivered, kSoon));
  const Finished trace = hy({"trace", sent->id().to_hex()});
  EXPECT_EQ(trace.code, 0) << trace.output;
  EXPECT_EQ(hy({"trace", std::string(32, '0')}).code, 3);
}

TEST_P(CommandTest, SchemaStatusAndConfigCheckRunTheDaemons) {
  const Finished schema = hy({"schema", "status"});
  EXPECT_EQ(schema.code, 0) << schema.output;
  const Finished good = hy({"config", "check", cluster().layout().config.string()});
  EXPECT_EQ(good.code, 0) << good.output;
  const Finished wrong =
      hy({"config", "check", cluster().layout().config.string(), "--set", "log.levle=debug"});
  EXPECT_EQ(wrong.code, 2) << wrong.output;
  EXPECT_NE(wrong.output.find("HY-8012"), std::string::npos) << wrong.output;
}

HY_BOTH_ENGINES(CommandTest);

}  // namespace
}  // namespace hy::cli
