#pragma once

#include <sys/types.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace hy::peers {

/// User + system time of a process, of its threads and of its living and collected children, in
/// seconds; 0 when it is gone.
double cpu_seconds(pid_t pid);
/// User + system + interrupt time of the whole machine, in seconds.
double machine_cpu_seconds();
/// Memory that the process alone pays, in bytes.
std::uint64_t private_bytes(pid_t pid);

/// A peer_load program: a line goes in, a line of JSON comes back. Ends with this object.
class LoadProcess {
 public:
  explicit LoadProcess(const std::vector<std::string>& argv);
  ~LoadProcess();
  LoadProcess(const LoadProcess&) = delete;
  LoadProcess& operator=(const LoadProcess&) = delete;

  void tell(const std::string& line);
  /// Throws std::runtime_error when nothing came within 330 s.
  nlohmann::json answer();

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  std::string text_;
};

}  // namespace hy::peers
