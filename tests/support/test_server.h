#pragma once

#include <memory>
#include <string>

#include "tests/support/model_server.h"

namespace hy::test {

/// ModelServer behind a real TCP port on 127.0.0.1, on a thread of its own: the smallest entry, for
/// the SDK's sockets. Half-open: it goes on holding its sockets and neither reads nor writes.
class TestServer {
 public:
  explicit TestServer(std::uint64_t seed);
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  [[nodiscard]] std::string address() const;
  [[nodiscard]] Bytes public_key() const;
  /// Runs `f` on the server's thread and waits.
  void on(const std::function<void(ModelServer&)>& f);
  void half_open(bool on);
  /// RST to everybody.
  void reset_all();
  [[nodiscard]] std::size_t accepted();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::test
