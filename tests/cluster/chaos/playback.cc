#include "tests/cluster/chaos/playback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "client/cli/unique_fd.h"
#include "common/http/http_get.h"
#include "common/wire/header.h"
#include "tests/cluster/chaos/replicas.h"
#include "tests/cluster/journal.h"

namespace hy::chaos {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = judge::TappedFrame::Kind;
using faults::Direction;

constexpr std::size_t kThreads = 64;
constexpr std::size_t kPlayedMax = 6;     // recordings of one way
constexpr std::size_t kPrefixesMax = 10;  // whole frames of one recording
constexpr std::size_t kCutsMax = 4;       // inside of one
constexpr std::chrono::seconds kEndsWithin{15};
constexpr std::chrono::seconds kHandshakeWithin{5};
constexpr std::chrono::seconds kAnswersWithin{2};  // a password takes its time
constexpr Millis kAnswerWithin{5'000};

std::uint32_t word(std::string_view in, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) value = (value << 8) | static_cast<std::uint8_t>(in[i]);
  return value;
}

Kind kind_of(std::uint32_t command) {
  switch (static_cast<wire::Outer>(command)) {
    case wire::Outer::kHello: return Kind::kHello;
    case wire::Outer::kHandshake1:
    case wire::Outer::kHandshake2: return Kind::kHandshake;
    case wire::Outer::kData: return Kind::kData;
    case wire::Outer::kKeyNotice: break;
  }
  return Kind::kOther;
}

/// Where each whole frame ends.
std::vector<std::size_t> ends_of(std::string_view bytes) {
  std::vector<std::size_t> out;
  std::size_t at = 0;
  while (bytes.size() - at >= limits::kHeaderBytes) {
    const std::size_t whole = limits::kHeaderBytes + word(bytes, at + 12);
    if (bytes.size() - at < whole) break;
    at += whole;
    out.push_back(at);
  }
  return out;
}

std::vector<judge::TappedFrame> frames_of(std::string_view bytes) {
  std::vector<judge::TappedFrame> out;
  std::size_t from = 0;
  for (const std::size_t to : ends_of(bytes)) {
    out.push_back(
        {kind_of(word(bytes, from + 8)),
         Bytes(bytes.substr(from + limits::kHeaderBytes, to - from - limits::kHeaderBytes))});
    from = to;
  }
  return out;
}

bool is_of_people(const Link& link) {
  return link.from == "people" || link.from == "roaming";
}

/// What is to be said on one connection.
struct Script {
  std::string what;
  std::string address;
  std::string said;
  std::size_t first = 0;  ///< bytes before the answer to the handshake is awaited; 0: all at once
};

void add_scripts(const std::string& name, const std::string& address, const std::string& said,
                 std::vector<Script>& out) {
  const std::vector<std::size_t> ends = ends_of(said);
  if (ends.size() < 3) return;  // nothing was sealed
  // HELLO and HANDSHAKE_1, and the rest when HANDSHAKE_2 has come.
  const std::size_t flight = ends[1];
  const auto add = [&](const std::string& what, std::size_t bytes) {
    out.push_back(
        {what + " of " + name, address, said.substr(0, bytes), bytes > flight ? flight : 0});
  };
  out.push_back({"all at once of " + name, address, said, 0});
  add("all", said.size());
  for (std::size_t i = 0; i < std::min(ends.size(), kPrefixesMax); ++i) {
    add(std::to_string(i + 1) + " frames", ends[i]);
    const std::size_t from = i == 0 ? 0 : ends[i - 1];
    const std::size_t middle = from + (ends[i] - from) / 2;
    if (i < kCutsMax) add(std::to_string(middle) + " bytes", middle);
  }
}

cli::UniqueFd dial(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(&address[colon + 1], nullptr, 10)));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &at.sin_addr);
  cli::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) return {};
  return fd;
}

void say(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // ended already, as it may be
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Reads until `frames` whole ones are there or the connection is over. True: it is over.
bool hear(int fd, std::size_t frames, Clock::duration within, std::string& heard) {
  const auto until = Clock::now() + within;
  while (frames == 0 || ends_of(heard).size() < frames) {
    const auto left = std::chrono::ceil<Millis>(until - Clock::now()).count();
    pollfd p{fd, POLLIN, 0};
    if (left <= 0 || ::poll(&p, 1, static_cast<int>(left)) <= 0) return false;
    char bytes[4'096];
    const ssize_t n = ::recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return true;
    heard.append(bytes, static_cast<std::size_t>(n));
  }
  return false;
}

judge::Playback play(const Script& script) {
  judge::Playback out{.what = script.what};
  const cli::UniqueFd fd = dial(script.address);
  if (fd.get() < 0) {
    out.has_ended = true;
    return out;
  }
  std::string heard;
  say(fd.get(), std::string_view(script.said).substr(0, script.first));
  if (script.first > 0) out.has_ended = hear(fd.get(), 1, kHandshakeWithin, heard);
  say(fd.get(), std::string_view(script.said).substr(script.first));
  // Time to answer, before the end of this side is a reason to close. A tapper who only waits is a
  // matter of time-outs, not of replay.
  if (!out.has_ended) out.has_ended = hear(fd.get(), 0, kAnswersWithin, heard);
  ::shutdown(fd.get(), SHUT_WR);
  if (!out.has_ended) out.has_ended = hear(fd.get(), 0, kEndsWithin, heard);
  for (const judge::TappedFrame& frame : frames_of(heard)) {
    out.met_handshake = out.met_handshake || frame.kind == Kind::kHandshake;
    if (frame.kind == Kind::kData) ++out.data_frames;
  }
  return out;
}

/// Sum of a counter over its labels.
std::uint64_t sum_of(std::string_view metrics, std::string_view name) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < metrics.size();) {
    const std::size_t end = std::min(metrics.find('\n', at), metrics.size());
    const std::string line(metrics.substr(at, end - at));
    if (line.starts_with(name) && (line[name.size()] == '{' || line[name.size()] == ' '))
      sum += std::strtoull(&line[line.rfind(' ') + 1], nullptr, 10);
    at = end + 1;
  }
  return sum;
}

}  // namespace

std::vector<judge::TappedConnection> read_taps(const Rig& rig) {
  std::vector<judge::TappedConnection> out;
  for (const auto& link : rig.links()) {
    if (!is_of_people(*link)) continue;
    std::size_t number = 0;
    for (const faults::GateRecording& recording : link->gate->recordings()) {
      out.push_back({link->name() + " " + std::to_string(++number),
                     frames_of(recording[Direction::kToServer]),
                     frames_of(recording[Direction::kToClient])});
    }
  }
  return out;
}

std::vector<judge::Playback> play_all(const Rig& rig) {
  std::vector<Script> scripts;
  for (const auto& link : rig.links()) {
    if (!is_of_people(*link)) continue;
    std::size_t number = 0;
    for (const faults::GateRecording& recording : link->gate->recordings()) {
      if (number == kPlayedMax) break;
      add_scripts(link->name() + " " + std::to_string(++number), rig.entry_address(link->to),
                  recording[Direction::kToServer], scripts);
    }
  }
  std::vector<judge::Playback> out(scripts.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < scripts.size(); at = next++) out[at] = play(scripts[at]);
    });
  }
  threads.clear();
  return out;
}

Result<judge::ServerState> read_servers(Rig& rig) {
  judge::ServerState out;
  HY_TRY(const StoredRows rows, read_rows(rig));
  out.store = dump_of(rows);
  HY_TRY(Placements placements, read_placements(rig));
  out.routers = std::move(placements.routers);
  out.sessions = std::move(placements.sessions);
  for (const std::string& entry : rig.cluster().layout().names_of("entry")) {
    HY_TRY(const http::Answer answer, http::get(rig.admin(entry), "/metrics", kAnswerWithin));
    if (answer.status != 200) return fail(Errc::kUnavailable, entry + " tells no metrics");
    out.logins += sum_of(answer.body, "hy_entry_logins_total");
  }
  return out;
}

}  // namespace hy::chaos
