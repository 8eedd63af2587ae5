#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace hy::bench {

using Json = nlohmann::json;

/// JSON objects, one a line, over a socket pair between `hy bench` and a
/// worker. Not thread-safe.
class Link {
 public:
  explicit Link(int fd) : fd_(fd) {}
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  [[nodiscard]] int fd() const { return fd_; }
  /// Blocks until the kernel has taken it; false: the other side is gone.
  bool write(const Json& message);
  /// Reads what is there without blocking and hands over every whole line.
  /// False: the other side is gone, or talks no JSON.
  bool read(const std::function<void(const Json&)>& on_message);

 private:
  int fd_;
  std::string rest_;
};

}  // namespace hy::bench
