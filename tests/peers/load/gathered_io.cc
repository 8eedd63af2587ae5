#include "tests/peers/load/gathered_io.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace hy::peers {
namespace {

GatheredIo* current = nullptr;

}  // namespace

GatheredIo::GatheredIo() : in_(256 * 1'024) {
  current = this;
}
GatheredIo::~GatheredIo() {
  current = nullptr;
}

void GatheredIo::add(int fd) {
  const auto index = static_cast<std::size_t>(fd);
  if (outs_.size() <= index) outs_.resize(index + 1);
  outs_[index].ours = true;
}

void GatheredIo::receive(int fd) {
  const ssize_t n = ::recv(fd, in_.data(), in_.size(), MSG_DONTWAIT);
  in_fd_ = fd;
  at_ = 0;
  size_ = n > 0 ? static_cast<std::size_t>(n) : 0;
  ended_ = n == 0 || (n < 0 && errno != EAGAIN);
  told_end_ = false;
}

bool GatheredIo::send(int fd) {
  Out& out = outs_[static_cast<std::size_t>(fd)];
  out.dirty = false;
  const ssize_t n = ::send(fd, out.bytes.data(), out.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) out.bytes.erase(0, static_cast<std::size_t>(n));
  if (n < 0 && errno != EAGAIN) out.bytes.clear();  // the next receive tells
  return out.bytes.empty();
}

bool GatheredIo::read(int fd, void* to, std::size_t size, long& result) {
  if (!is_ours(fd)) return false;
  const std::size_t n = fd == in_fd_ ? std::min(size, size_ - at_) : 0;
  result = static_cast<long>(n);
  if (n > 0) {
    std::memcpy(to, in_.data() + at_, n);
    at_ += n;
  } else if (fd == in_fd_ && ended_) {
    told_end_ = true;
  } else {
    errno = EAGAIN;
    result = -1;
  }
  return true;
}

bool GatheredIo::write(int fd, const void* from, std::size_t size, long& result) {
  if (!is_ours(fd)) return false;
  Out& out = outs_[static_cast<std::size_t>(fd)];
  out.bytes.append(static_cast<const char*>(from), size);
  if (!out.dirty) {
    out.dirty = true;
    dirty_.push_back(fd);
  }
  result = static_cast<long>(size);
  return true;
}

}  // namespace hy::peers

extern "C" ssize_t read(int fd, void* to, std::size_t size) {
  long result = 0;
  if (hy::peers::current != nullptr && hy::peers::current->read(fd, to, size, result)) {
    return result;
  }
  return ::syscall(SYS_read, fd, to, size);
}

extern "C" ssize_t write(int fd, const void* from, std::size_t size) {
  long result = 0;
  if (hy::peers::current != nullptr && hy::peers::current->write(fd, from, size, result)) {
    return result;
  }
  return ::syscall(SYS_write, fd, from, size);
}
