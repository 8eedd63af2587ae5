#pragma once

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/secret.h"

struct redisContext;

namespace hy::das::mysql {

struct RedisOptions {
  std::string address;  ///< "127.0.0.1:6379", "unix:/path", or empty: no cache at all
  Secret password;
  std::chrono::milliseconds timeout{50};  ///< of each call
};

/// Commands whose answers nobody reads, as they go over the wire: many of them without memory for
/// each word.
class RedisBatch {
 public:
  void add(std::span<const std::string_view> words);
  void add(std::initializer_list<std::string_view> words) {
    add(std::span(words.begin(), words.size()));
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::size_t count() const { return count_; }

 private:
  std::string bytes_;
  std::size_t count_ = 0;
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
  /// The same for a batch. false: the connection is lost.
  bool run(const RedisBatch& batch);

 private:
  RedisConnection(redisContext* context, std::chrono::milliseconds timeout)
      : context_(context), timeout_(timeout) {}
  /// Sends what is appended and reads `replies` answers; take(redisReply&) of each.
  template <class Take>
  bool exchange(std::size_t replies, Take take);
  redisContext* context_;
  std::chrono::milliseconds timeout_;
};

}  // namespace hy::das::mysql
