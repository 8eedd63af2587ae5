#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/result.h"

namespace hy::entry {

/// What a shard asks of its connections' sockets, by number. None of it waits. One thread.
class Sockets {
 public:
  struct Event {
    std::uint64_t tag = 0;
    bool readable = false;  ///< also: the peer hung up
    bool writable = false;
  };
  enum class Outcome : std::uint8_t {
    kDone,        ///< `bytes` went through
    kWouldBlock,  ///< nothing now
    kEnded,       ///< the peer's end, or an error: nothing ever again
  };
  struct Moved {
    Outcome outcome = Outcome::kEnded;
    std::size_t bytes = 0;
  };

  virtual ~Sockets() = default;
  /// Takes it into the set, reading wanted. It leaves the set by being closed. Errors:
  /// kLimitTooLow.
  virtual Status add(int socket, std::uint64_t tag) = 0;
  virtual void want(int socket, std::uint64_t tag, bool read, bool write) = 0;
  /// What is ready now; valid until the next call.
  virtual std::span<const Event> ready() = 0;
  virtual Moved receive(int socket, std::span<std::uint8_t> into) = 0;
  virtual Moved send(int socket, std::span<const char> bytes) = 0;
  /// Nothing more is sent; what the peer still says can be read.
  virtual void end_sending(int socket) = 0;
  virtual void close(int socket) = 0;
};

}  // namespace hy::entry
