#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

#include "common/base/error.h"
#include "common/wire/inner.h"
#include "tests/vectors/conversation.h"
#include "tests/vectors/noise_interpreter.h"

namespace hy::vectors {
namespace {

const std::string kPage = std::string(HY_SOURCE_DIR) + "/docs/reference/wire-protocol.md";

std::string json_path(int suite) {
  return std::string(HY_SOURCE_DIR) + "/docs/reference/vectors/suite-" + std::to_string(suite) +
         ".json";
}
std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}
void write_all(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}
std::string marker(int suite, const char* which) {
  return "<!-- vectors of suite " + std::to_string(suite) + ": " + which + " -->\n";
}

/// What stands between the markers of a suite; npos-safe: empty when they are missing.
std::string block_of(const std::string& page, int suite) {
  const auto begin = page.find(marker(suite, "begin"));
  const auto end = page.find(marker(suite, "end"));
  if (begin == std::string::npos || end == std::string::npos) return {};
  const auto from = begin + marker(suite, "begin").size();
  return page.substr(from, end - from);
}

class PageVectors : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Suites, PageVectors, testing::Values(1, 2));

/// HY_WRITE_VECTORS=1 writes the files instead: for a deliberate change of the protocol.
TEST_P(PageVectors, FilesAndPageAreWhatTheCodeProduces) {
  const auto conversation = record_conversation(static_cast<std::uint8_t>(GetParam()));
  const std::string json = to_json(conversation);
  const std::string block = to_markdown(conversation);
  if (std::getenv("HY_WRITE_VECTORS") != nullptr) {
    write_all(json_path(GetParam()), json);
    std::string page = read_all(kPage);
    const auto at = page.find(marker(GetParam(), "begin"));
    ASSERT_NE(at, std::string::npos);
    page.replace(at + marker(GetParam(), "begin").size(), block_of(page, GetParam()).size(), block);
    write_all(kPage, page);
  }
  EXPECT_EQ(read_all(json_path(GetParam())), json);
  EXPECT_EQ(block_of(read_all(kPage), GetParam()), block);
}

/// The frames are right also by an implementation that shares nothing with the one that made them.
TEST_P(PageVectors, InterpreterReadsEveryFrame) {
  const auto conversation = record_conversation(static_cast<std::uint8_t>(GetParam()));
  const auto suite = static_cast<std::uint8_t>(GetParam());
  Protocol protocol;
  ASSERT_TRUE(parse_protocol(wire::find_suite(suite)->noise_name, protocol));
  const Bytes hello = conversation.frames[0].wire;
  Party client{.prologue = hello,
               .static_private = {},
               .ephemeral_private = conversation.client_ephemeral,
               .remote_static = key_pair("25519", conversation.server_private).public_key,
               .psks = {}};
  Party server{.prologue = hello,
               .static_private = conversation.server_private,
               .ephemeral_private = conversation.server_ephemeral,
               .remote_static = {},
               .psks = {}};
  Interpreter initiator(protocol, true, client);
  Interpreter responder(protocol, false, server);
  Bytes text;
  EXPECT_EQ(initiator.write(""), conversation.frames[1].wire.substr(16));
  ASSERT_TRUE(responder.read(conversation.frames[1].wire.substr(16), text));
  EXPECT_EQ(responder.write(""), conversation.frames[2].wire.substr(16));
  ASSERT_TRUE(initiator.read(conversation.frames[2].wire.substr(16), text));
  for (const RecordedFrame& f : conversation.frames) {
    if (!f.is_data) continue;
    SCOPED_TRACE(f.name);
    auto& cipher = f.from_client ? responder.receiving() : initiator.receiving();
    EXPECT_EQ(cipher.n(), f.n);
    ASSERT_TRUE(cipher.decrypt(f.wire.substr(0, 16), f.wire.substr(16), text));
    EXPECT_EQ(text, f.inner);
    const auto inner = wire::parse_inner(as_bytes(f.inner));
    ASSERT_TRUE(inner);
    EXPECT_EQ(as_text(inner->body), f.body);
    EXPECT_EQ(inner->type, f.type);
    EXPECT_EQ(inner->request_id, f.request_id);
  }
}

/// Codes of the row of the refusals' table that starts with "| <rule> |".
std::vector<int> codes_of_rule(const std::string& page, const std::string& rule) {
  std::vector<int> out;
  const std::string begin = "\n| " + rule + " | ";
  const auto at = page.find(begin);
  if (at == std::string::npos) return out;
  const auto from = at + begin.size();
  std::istringstream cell(page.substr(from, page.find('|', from) - from));
  for (std::string code; std::getline(cell, code, ',');) out.push_back(std::stoi(code));
  return out;
}

TEST(PageRefusals, RetryRulesAreThoseOfTheErrorTable) {
  const std::string page = read_all(kPage);
  const std::pair<const char*, RetryRule> rules[] = {
      {"never", RetryRule::kNever},         {"later", RetryRule::kLater},
      {"elsewhere", RetryRule::kOtherPeer}, {"in order", RetryRule::kInOrder},
      {"reset", RetryRule::kReset},         {"log in", RetryRule::kLogin},
      {"reconnect", RetryRule::kReconnect}, {"stop", RetryRule::kStop}};
  for (const auto& [name, rule] : rules) {
    const auto codes = codes_of_rule(page, name);
    EXPECT_FALSE(codes.empty()) << name;
    for (const int code : codes) {
      const ErrorInfo& row = error_info(static_cast<Errc>(code));
      EXPECT_EQ(row.code, static_cast<Errc>(code)) << code << " is not in the table";
      EXPECT_EQ(row.retry, rule) << code << " stands under " << name;
    }
  }
}

}  // namespace
}  // namespace hy::vectors
