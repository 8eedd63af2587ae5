// What one envelope costs on a stream of common/rpc: CPU of both ends, each a process of its own as
// the daemons are, and envelopes a second; loopback TCP and Unix socket; 1, 16 and 64 envelopes a
// write, 8 writes' worth under way.
// Usage: rpc_stream_bench [seconds per figure, default 2]
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "hy/router/v1/logic_stream.pb.h"

namespace {

using namespace hy;
using In = router::v1::LogicBatch;
using Out = router::v1::RouterAnswerBatch;
constexpr char kMethod[] = "/hy.router.v1.LogicStream/Deliver";
constexpr std::size_t kBodyBytes = 80;
constexpr std::size_t kEnvelopeBytes = 100;

/// Acknowledges each batch with one small answer, as the tiers do.
class Sink final : public rpc::Handler<Out, In> {
 public:
  explicit Sink(rpc::Stream<Out> stream) : stream_(stream) {}
  void on_batch(In& batch) override {
    seen_ += static_cast<std::uint64_t>(batch.delivers_size());
    stream_.next().add_results()->set_id(seen_);
    stream_.queued(8);
  }
  void on_close(const std::string&) override {}

 private:
  rpc::Stream<Out> stream_;
  std::uint64_t seen_ = 0;
};

/// Keeps a fixed number of envelopes under way: each acknowledgement lets as many more out.
class Source final : public rpc::ClientEvents<In, Out> {
 public:
  Source(std::uint64_t per_write, std::uint64_t window) : per_write_(per_write), window_(window) {}
  void on_up(rpc::Stream<In> stream) override {
    stream_ = stream;
    fill();
  }
  void on_batch(Out& batch) override {
    for (const auto& result : batch.results()) acked_ = result.id();
    acked_total = acked_;
    fill();
  }
  void on_down(const std::string&) override { stream_ = {}; }
  std::atomic<std::uint64_t> acked_total = 0;

 private:
  /// One batch a turn, so that a write has per_write_ envelopes and not what happens to gather.
  void fill() {
    if (!stream_ || stream_.queued_envelopes() > 0) return;
    for (std::uint64_t i = 0; i < per_write_ && sent_ - acked_ < window_; ++i) {
      auto& deliver = *stream_.next().add_delivers();
      deliver.set_id(++sent_);
      deliver.set_seq(sent_);
      deliver.set_sender(7);
      deliver.set_body(body_);
      stream_.queued(kEnvelopeBytes);
    }
  }
  std::uint64_t per_write_;
  std::uint64_t window_;
  std::string body_ = std::string(kBodyBytes, 'x');
  rpc::Stream<In> stream_;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
};

double own_cpu_us() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

/// Fields 14 and 15 of /proc/<pid>/stat, in clock ticks.
double cpu_us_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string field;
  double ticks = 0;
  for (int i = 1; i <= 15 && in >> field; ++i) {
    if (i >= 14) ticks += std::atof(field.c_str());
  }
  return ticks * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// The child: serves until its standard input ends.
int serve(const std::string& listen) {
  rpc::Loop loop;
  std::thread thread([&] { loop.run(); });
  int code = 0;
  {
    rpc::Server server(loop, {.listen = {listen}});
    server.serve_with<Sink, Out>(
        kMethod, {}, [](rpc::Stream<Out> stream) { return std::make_unique<Sink>(stream); });
    if (const Status up = server.start(); up) {
      std::printf("%d\n", server.ports().front());
      std::fflush(stdout);
      while (std::getchar() != EOF) {
      }
    } else {
      code = 1;
    }
  }
  loop.stop();
  thread.join();
  return code;
}

struct Figure {
  double us_per_envelope = 0;
  double envelopes_per_second = 0;
};

/// The server as a child: closing `in` ends it.
struct Child {
  explicit Child(const char* program, const std::string& listen) {
    int to_child[2];
    int from_child[2];
    if (::pipe2(to_child, O_CLOEXEC) != 0 || ::pipe2(from_child, O_CLOEXEC) != 0) std::exit(1);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to_child[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from_child[1], 1);
    std::string name = program;
    std::string verb = "serve";
    std::string address = listen;
    char* argv[] = {name.data(), verb.data(), address.data(), nullptr};
    if (::posix_spawn(&pid, program, &actions, nullptr, argv, environ) != 0) std::exit(1);
    posix_spawn_file_actions_destroy(&actions);
    ::close(to_child[0]);
    ::close(from_child[1]);
    in = to_child[1];
    std::FILE* out = ::fdopen(from_child[0], "r");
    if (std::fscanf(out, "%d", &port) != 1) std::exit(1);
    std::fclose(out);
  }
  ~Child() {
    ::close(in);
    ::waitpid(pid, nullptr, 0);
  }
  pid_t pid = 0;
  int in = -1;
  int port = 0;
};

Figure measure(const char* program, const std::string& listen, std::uint64_t per_write,
               double seconds) {
  const Child child(program, listen);
  rpc::Loop loop;
  std::thread thread([&] { loop.run(); });
  Figure figure;
  {
    const bool is_unix = child.port == 0;
    Source source(per_write, per_write * 8);
    rpc::Client client(
        loop,
        {.target = is_unix ? listen : "127.0.0.1:" + std::to_string(child.port), .method = kMethod},
        source);
    client.start();
    const auto span = std::chrono::duration<double>(seconds);
    std::this_thread::sleep_for(span / 4);  // connected and warm
    const std::uint64_t from = source.acked_total;
    const double cpu = own_cpu_us() + cpu_us_of(child.pid);
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(span);
    const auto n = static_cast<double>(source.acked_total - from);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    figure = {(own_cpu_us() + cpu_us_of(child.pid) - cpu) / n, n / took.count()};
    client.stop();
  }
  loop.stop();
  thread.join();
  return figure;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "serve") return serve(argv[2]);
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  std::string pattern = (std::filesystem::temp_directory_path() / "hy-bench-XXXXXX").string();
  const std::filesystem::path dir = ::mkdtemp(pattern.data());
  std::printf("%-6s %8s %16s %14s\n", "socket", "a write", "CPU us/envelope", "envelopes/s");
  for (const bool is_unix : {false, true}) {
    for (const std::uint64_t per_write : {1U, 16U, 64U}) {
      const std::string listen =
          is_unix ? "unix:" + (dir / ("s" + std::to_string(per_write))).string() : "127.0.0.1:0";
      const Figure f = measure(argv[0], listen, per_write, seconds);
      std::printf("%-6s %8llu %16.2f %14.0f\n", is_unix ? "unix" : "tcp",
                  static_cast<unsigned long long>(per_write), f.us_per_envelope,
                  f.envelopes_per_second);
    }
  }
  std::filesystem::remove_all(dir);
}
