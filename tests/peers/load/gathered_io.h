#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace hy::peers {

/// Buffers under a library that reads a packet in four calls and writes each packet with one.
/// read() and write() of this program, shared libraries included, come here for descriptors that
/// were added; bytes pass through unchanged. One receive per readiness and one send per turn then
/// serve all packets of a connection, as in the other swarms. One thread; one instance.
class GatheredIo {
 public:
  GatheredIo();
  ~GatheredIo();
  GatheredIo(const GatheredIo&) = delete;
  GatheredIo& operator=(const GatheredIo&) = delete;

  void add(int fd);
  /// Receives what is there. read(fd) then gives it out piece by piece, and EAGAIN at its end.
  void receive(int fd);
  /// True while read() has more of it, or the end of the connection, to give.
  [[nodiscard]] bool has_input() const { return at_ < size_ || (ended_ && !told_end_); }
  /// Sends what was written to all descriptors; calls `blocked(fd)` where the socket is full.
  template <class Blocked>
  void send_all(Blocked blocked) {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
      if (!send(dirty_[i])) blocked(dirty_[i]);
    }
    dirty_.clear();
  }
  /// False while something is left over.
  bool send(int fd);

  /// Behind ::read and ::write; false: not one of ours.
  bool read(int fd, void* to, std::size_t size, long& result);
  bool write(int fd, const void* from, std::size_t size, long& result);

 private:
  struct Out {
    bool ours = false;
    bool dirty = false;
    std::string bytes;
  };
  [[nodiscard]] bool is_ours(int fd) const {
    return fd >= 0 && static_cast<std::size_t>(fd) < outs_.size() &&
           outs_[static_cast<std::size_t>(fd)].ours;
  }

  std::vector<Out> outs_;  ///< by descriptor
  std::vector<int> dirty_;
  std::vector<char> in_;
  std::size_t at_ = 0;
  std::size_t size_ = 0;
  int in_fd_ = -1;
  bool ended_ = false;
  bool told_end_ = false;
};

}  // namespace hy::peers
