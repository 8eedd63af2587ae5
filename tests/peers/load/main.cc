// A swarm of light clients for one of the servers that are compared, driven line by line through
// stdin:
//   connect        logs everybody in
//   prime          everybody sends one message
//   start RATE     sends; 0: closed loop
//   mark           one line of JSON: counts and latencies since the mark before
//   stop           stops, waits for what is under way, and marks
//   quit
//   peer_load mqtt --port 18830 --connections 1000 --outstanding 4
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "tests/peers/load/hongyan_group.h"
#include "tests/peers/load/hongyan_swarm.h"
#include "tests/peers/load/meter.h"
#include "tests/peers/load/mqtt_swarm.h"
#include "tests/peers/load/xmpp_swarm.h"

namespace {

using namespace hy::peers;

/// Lines from stdin, without waiting for them.
class Commands {
 public:
  /// False at the end of the input.
  bool poll_line(std::string& line) {
    line.clear();
    pollfd p{STDIN_FILENO, POLLIN, 0};
    if (text_.find('\n') == std::string::npos && ::poll(&p, 1, 0) > 0) {
      char buffer[256];
      const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
      if (n <= 0) return false;
      text_.append(buffer, static_cast<std::size_t>(n));
    }
    if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
      line = text_.substr(0, end);
      text_.erase(0, end + 1);
    }
    return true;
  }

 private:
  std::string text_;
};

void reply(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

int serve(Meter& meter, Swarm& swarm) {
  Commands commands;
  for (std::string line; commands.poll_line(line);) {
    if (line == "quit") return 0;
    if (line == "connect") {
      if (!meter.connect_all()) std::fprintf(stderr, "not everybody could log in\n");
      reply(meter.mark());
    } else if (line == "prime") {
      if (!meter.prime()) std::fprintf(stderr, "not every first message was done\n");
      reply(meter.mark());
    } else if (line.starts_with("start ")) {
      meter.start(std::stod(line.substr(6)));
    } else if (line == "mark") {
      reply(meter.mark());
    } else if (line == "stop") {
      meter.stop();
      reply(meter.mark());
    }
    meter.send_due();
    swarm.turn(std::chrono::milliseconds(meter.waits_for_clock() ? 1 : 20));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Meter::Settings settings;
  std::string protocol;
  std::string access;
  std::string from = "127.0.0.1";
  int port = 0;
  std::size_t first = 0;
  CLI::App app("light clients, driven through stdin");
  app.add_option("protocol", protocol)
      ->required()
      ->check(CLI::IsMember({"mqtt", "xmpp", "hongyan"}));
  app.add_option("--port", port, "of the server on 127.0.0.1");
  app.add_option("--access", access, "hongyan: file with address, server key, uids and tokens");
  app.add_option("--from", from, "hongyan: the clients' own address");
  app.add_option("--first", first, "number of the first client");
  app.add_option("--connections", settings.connections, "even");
  app.add_option("--outstanding", settings.outstanding, "messages under way a client");
  app.add_flag("--group", settings.is_group, "all clients are one group");
  app.add_option("--body", settings.body_bytes, "bytes of a body");
  CLI11_PARSE(app, argc, argv);
  settings.has_echo = protocol == "mqtt";
  Meter meter(settings);
  std::unique_ptr<Swarm> swarm;
  if (protocol == "mqtt") swarm = std::make_unique<MqttSwarm>(meter, port, first);
  if (protocol == "xmpp") swarm = std::make_unique<XmppSwarm>(meter, port, first);
  if (protocol == "hongyan" && settings.is_group)
    swarm = std::make_unique<HongyanGroup>(meter, access, from);
  else if (protocol == "hongyan")
    swarm = std::make_unique<HongyanSwarm>(meter, access, first, from);
  meter.drive(*swarm);
  return serve(meter, *swarm);
}
