#include "das/engines/mysql/redis_connection.h"

#include <hiredis/hiredis.h>
#include <sys/time.h>

#include <array>
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

/// One unfinished reply; what is asked for are single values of a few dozen bytes.
constexpr std::size_t kReplyBytesMax = 64 * 1'024;

/// hiredis allocates an array as large as its first line says and walks over it when it frees it:
/// twelve bytes would cost 16 GiB and ten seconds. No command here is answered by an array.
void* refuse_array(const redisReadTask* /*task*/, int /*elements*/) {
  return nullptr;
}

void bound_replies(redisContext& context) {
  static redisReplyObjectFunctions functions = [&] {
    redisReplyObjectFunctions own = *context.reader->fn;
    own.createArray = refuse_array;
    return own;
  }();
  context.reader->fn = &functions;
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

void RedisBatch::add(std::span<const std::string_view> words) {
  const auto line = [this](char kind, std::size_t n) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
    bytes_ += kind;
    bytes_.append(digits.data(), end);
    bytes_ += "\r\n";
  };
  line('*', words.size());
  for (const std::string_view word : words) {
    line('$', word.size());
    bytes_ += word;
    bytes_ += "\r\n";
  }
  ++count_;
}

std::unique_ptr<RedisConnection> RedisConnection::open(const RedisOptions& options) {
  redisContext* context = dial(options);
  if (context == nullptr) return nullptr;
  std::unique_ptr<RedisConnection> connection(new RedisConnection(context, options.timeout));
  if (context->err != 0 || redisSetTimeout(context, to_timeval(options.timeout)) != REDIS_OK)
    return nullptr;
  bound_replies(*context);
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
  if (!exchange(commands.size(), [&](redisReply& reply) { replies.push_back(to_reply(reply)); }))
    return std::nullopt;
  return replies;
}

bool RedisConnection::run(const RedisBatch& batch) {
  return redisAppendFormattedCommand(context_, batch.bytes().data(), batch.bytes().size()) ==
             REDIS_OK &&
         exchange(batch.count(), [](redisReply&) {});
}

template <class Take>
bool RedisConnection::exchange(std::size_t replies, Take take) {
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  for (int is_written = 0; is_written == 0;) {
    if (redisBufferWrite(context_, &is_written) != REDIS_OK) return false;
  }
  while (replies > 0) {
    void* raw = nullptr;
    if (redisReaderGetReply(context_->reader, &raw) != REDIS_OK) return false;
    if (raw != nullptr) {
      take(*static_cast<redisReply*>(raw));
      freeReplyObject(raw);
      --replies;
      continue;
    }
    // The socket's own time-out begins anew with each byte: a server that trickles is lost as well.
    if (context_->reader->len - context_->reader->pos > kReplyBytesMax ||
        std::chrono::steady_clock::now() >= deadline || redisBufferRead(context_) != REDIS_OK)
      return false;
  }
  return true;
}

}  // namespace hy::das::mysql
