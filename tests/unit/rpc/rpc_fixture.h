#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "hy/router/v1/logic_stream.pb.h"

namespace hy::rpc::testing {

using In = router::v1::LogicBatch;
using Out = router::v1::RouterAnswerBatch;
inline constexpr char kMethod[] = "/hy.router.v1.LogicStream/Deliver";

/// A loop and the thread that runs it.
class LoopThread {
 public:
  LoopThread() : thread_([this] { loop.run(); }) {}
  ~LoopThread() { stop(); }
  void stop() {
    if (!thread_.joinable()) return;
    loop.stop();
    thread_.join();
  }
  /// Runs on the loop, returns when it has run.
  void run(std::function<void()> task) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    loop.post([&] {
      task();
      const std::lock_guard lock(mutex);
      done = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
  }
  Loop loop;

 private:
  std::thread thread_;
};

/// Polls a condition that another thread makes true.
inline bool eventually(const std::function<bool()>& condition, int limit_ms = 30'000) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(limit_ms);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Answers each query with its id; counts what it sees.
struct EchoCounters {
  std::atomic<int> opened = 0;
  std::atomic<int> closed = 0;
  std::atomic<int> batches = 0;
  std::atomic<int> envelopes = 0;
  std::atomic<bool> close_on_query = false;
  std::mutex mutex;
  std::string last_close;
  PeerInfo last_peer;
};

class EchoHandler final : public Handler<Out, In> {
 public:
  EchoHandler(Stream<Out> stream, EchoCounters& counters) : stream_(stream), counters_(counters) {
    ++counters_.opened;
    const std::lock_guard lock(counters_.mutex);
    counters_.last_peer = stream_.peer();
    stream_.next().mutable_hello()->set_role("echo");
    stream_.queued(8);
  }
  void on_batch(In& batch) override {
    ++counters_.batches;
    for (const auto& query : batch.queries()) {
      ++counters_.envelopes;
      stream_.next().add_answers()->set_id(query.id());
      stream_.queued(8);
    }
    if (counters_.close_on_query) stream_.close();
  }
  void on_close(const std::string& why) override {
    const std::lock_guard lock(counters_.mutex);
    counters_.last_close = why;
    ++counters_.closed;
  }

 private:
  Stream<Out> stream_;
  EchoCounters& counters_;
};

/// A server on its own loop.
struct EchoServer {
  explicit EchoServer(std::string listen, TlsFiles tls = {}, QueueLimits queue = {})
      : server(thread.loop,
               {.listen = {std::move(listen)}, .tls = std::move(tls), .queue = queue}) {
    server.serve_with<EchoHandler, Out>(kMethod, {"logic"}, [this](Stream<Out> stream) {
      return std::make_unique<EchoHandler>(stream, counters);
    });
  }
  [[nodiscard]] std::string target() const {
    return "127.0.0.1:" + std::to_string(server.ports().at(0));
  }
  EchoCounters counters;
  LoopThread thread;
  Server server;
};

/// A client's side: remembers what came.
class Caller final : public ClientEvents<In, Out> {
 public:
  void on_up(Stream<In> s) override {
    stream = s;
    ++ups;
    if (up_hook) up_hook();
  }
  void on_batch(Out& batch) override {
    ++batches;
    for (const auto& answer : batch.answers()) {
      in_order = in_order && answer.id() == last_id + 1;
      last_id = answer.id();
      ++answers;
    }
  }
  void on_down(const std::string& why) override {
    const std::lock_guard lock(mutex);
    last_down = why;
    stream = {};
    ++downs;
  }
  void ask(std::uint64_t id) {
    stream.next().add_queries()->set_id(id);
    stream.queued(8);
  }
  [[nodiscard]] std::string why() {
    const std::lock_guard lock(mutex);
    return last_down;
  }

  Stream<In> stream;
  std::function<void()> up_hook;
  std::atomic<int> ups = 0;
  std::atomic<int> downs = 0;
  std::atomic<int> batches = 0;
  std::atomic<int> answers = 0;
  std::atomic<bool> in_order = true;
  std::uint64_t last_id = 0;
  std::mutex mutex;
  std::string last_down;
};

/// A folder that goes with the test.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hy-rpc-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace hy::rpc::testing
