#include "das/engines/mysql/redis_connection.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <charconv>

namespace hy::das::mysql {
namespace {

timeval to_timeval(std::chrono::milliseconds ms) {
  return {ms.count() / 1'000, static_cast<suseconds_t>(ms.count() % 1'000 * 1'000)};
}

redisContext* dial(const RedisOptions& options) {
  const timeval timeout = to_timeval(options.timeout);
  if (options.address.starts_with("unix:"))
    return redisConnectUnixWithTimeout(options.address.c_str() + 5, timeout);
  const std::size_t colon = options.address.rfind(':');
  int port = 0;
  if (colon == std::string::npos) return nullptr;
  const char* end = options.address.data() + options.address.size();
  if (std::from_chars(options.address.data() + colon + 1, end, port).ptr != end) return nullptr;
  return redisConnectWithTimeout(options.address.substr(0, colon).c_str(), port, timeout);
}

RedisConnection::Reply to_reply(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS: return std::string(reply.str, static_cast<std::size_t>(reply.len));
    case REDIS_REPLY_INTEGER: return std::to_string(reply.integer);
    default: return std::nullopt;
  }
}

}  // namespace

std::unique_ptr<RedisConnection> RedisConnection::open(const RedisOptions& options) {
  redisContext* context = dial(options);
  if (context == nullptr) return nullptr;
  std::unique_ptr<RedisConnection> connection(new RedisConnection(context));
  if (context->err != 0 || redisSetTimeout(context, to_timeval(options.timeout)) != REDIS_OK)
    return nullptr;
  if (!options.password.empty()) {
    const auto answer = connection->run({{"AUTH", options.password.reveal()}});
    if (!answer || !answer->front()) return nullptr;
  }
  return connection;
}

RedisConnection::~RedisConnection() {
  redisFree(context_);
}

std::optional<std::vector<RedisConnection::Reply>> RedisConnection::run(
    const std::vector<Command>& commands) {
  std::vector<const char*> words;
  std::vector<std::size_t> sizes;
  for (const Command& command : commands) {
    words.clear();
    sizes.clear();
    for (const std::string& word : command) {
      words.push_back(word.data());
      sizes.push_back(word.size());
    }
    if (redisAppendCommandArgv(context_, static_cast<int>(words.size()), words.data(),
                               sizes.data()) != REDIS_OK)
      return std::nullopt;
  }
  std::vector<Reply> replies;
  replies.reserve(commands.size());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    void* raw = nullptr;
    if (redisGetReply(context_, &raw) != REDIS_OK || raw == nullptr) return std::nullopt;
    replies.push_back(to_reply(*static_cast<redisReply*>(raw)));
    freeReplyObject(raw);
  }
  return replies;
}

}  // namespace hy::das::mysql
