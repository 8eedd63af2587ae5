#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/secret.h"

struct redisContext;

namespace hy::das::mysql {

struct RedisOptions {
  std::string address;  ///< "127.0.0.1:6379", "unix:/path", or empty: no cache at all
  Secret password;
  std::chrono::milliseconds timeout{50};  ///< of each call
};

/// One blocking connection; pipelines what it is given. One thread at a time. Any failure, a
/// time-out included, ends it: a late reply would be read as the answer to the next command.
/// So do an array, which no command here is answered by, and a reply of more than 64 KiB.
class RedisConnection {
 public:
  using Command = std::vector<std::string>;
  /// nullopt: an error reply, nil, or a kind that no caller asks for. READONLY and OOM are misses
  /// like any other.
  using Reply = std::optional<std::string>;

  /// Null: not reachable.
  static std::unique_ptr<RedisConnection> open(const RedisOptions& options);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// One round trip for all. nullopt: the connection is lost.
  std::optional<std::vector<Reply>> run(const std::vector<Command>& commands);

 private:
  RedisConnection(redisContext* context, std::chrono::milliseconds timeout)
      : context_(context), timeout_(timeout) {}
  redisContext* context_;
  std::chrono::milliseconds timeout_;
};

}  // namespace hy::das::mysql
