#include <google/protobuf/message_lite.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/rpc/credentials.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/stream_base.h"

namespace hy::rpc {
namespace {

constexpr int kMetadataBytesMax = 8 * 1'024;
constexpr int kConnectMaxMs = 1'000;  // gRPC's time limit of one connection attempt
constexpr Millis kDialMax{3'000};     // connection, handshake and the server's acceptance
constexpr Millis kWatchEvery{250};
constexpr Millis kLateTick{1'000};  // a watch that comes later: this process was stopped
constexpr Millis kStableAfter{1'000};

class ClientStream;

class CallOwner {
 public:
  virtual ~CallOwner() = default;
  virtual void on_accepted(ClientStream& stream) = 0;
  virtual void on_message(ClientStream& stream, google::protobuf::MessageLite& in) = 0;
  virtual void on_ended(ClientStream& stream, const std::string& why) = 0;
  virtual void on_over(ClientStream& stream) = 0;
  [[nodiscard]] virtual RawClientEvents& events() = 0;
};

/// One call on one channel of its own: a lost stream takes its TCP connection with it, so a dial
/// never meets a half-open one (router.md §4 a).
class ClientStream final : public StreamBase, public std::enable_shared_from_this<ClientStream> {
 public:
  ClientStream(Loop::Impl& loop, const ClientOptions& options, CallOwner& owner,
               std::shared_ptr<grpc::Channel> channel)
      : StreamBase(loop, options.queue),
        owner_(owner),
        stub_(std::move(channel)),
        in_(owner.events().make_in()) {
    peer_ = {options.peer_role, options.peer_name, options.target, options.tls.enabled()};
    count_as(options.method);
    call_ = stub_.PrepareCall(&context_, options.method, loop_.cq.get());
  }

  void start() {
    ++ops_;
    call_->StartCall(tag(start_op_));
  }

  void give_up(const std::string& why) {
    if (local_fault_.empty()) local_fault_ = why;
    cancel();
  }
  void cancel() override { context_.TryCancel(); }
  [[nodiscard]] bool is_accepted() const { return accepted_; }

 private:
  template <class Operation>
  static void* tag(Operation& op) {
    return static_cast<CqEvent*>(&op);
  }

  void on_start(bool ok) {
    --ops_;
    if (ok) {
      ++ops_;
      call_->ReadInitialMetadata(tag(metadata_op_));
    } else {
      finish();
    }
    settle();
  }

  void on_metadata(bool ok) {
    --ops_;
    if (ok && context_.GetServerInitialMetadata().contains(kAcceptedKey)) {
      accepted_ = true;
      open_writes();
      owner_.on_accepted(*this);
      read();
    } else {
      finish();
    }
    settle();
  }

  void read() {
    ++ops_;
    call_->Read(&buffer_, tag(read_op_));
  }

  void on_read(bool ok) {
    --ops_;
    if (!ok) {
      finish();
    } else if (!parse(buffer_, *in_)) {
      give_up("a batch that does not parse");
      finish();
    } else {
      owner_.on_message(*this, *in_);
      in_->Clear();
      read();
    }
    settle();
  }

  void half_close() override {
    ++ops_;
    call_->WritesDone(tag(writes_done_op_));
  }

  void on_writes_done(bool) {
    --ops_;
    settle();
  }

  void finish() {
    if (std::exchange(finishing_, true)) return;
    stop_writes();
    arm_close_limit();
    ++ops_;
    call_->Finish(&status_, tag(finish_op_));
  }

  void on_finish(bool) {
    --ops_;
    std::string why = local_fault_;
    if (why.empty()) why = status_.ok() ? "ended by the peer" : status_.error_message();
    if (why.empty()) why = "status " + std::to_string(status_.error_code());
    owner_.on_ended(*this, why);
    ended_ = true;
    settle();
  }

  void settle() override {
    if (ops_ > 0 || !ended_ || over_) return;
    over_ = true;
    owner_.on_over(*this);
  }

  void start_write(const grpc::ByteBuffer& bytes, void* write_tag) override {
    call_->Write(bytes, write_tag);
  }
  MessagePtr make_out() override { return owner_.events().make_out(); }
  std::weak_ptr<StreamBase> weak() override { return weak_from_this(); }

  CallOwner& owner_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer buffer_;
  grpc::Status status_;
  MessagePtr in_;
  bool accepted_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  bool over_ = false;
  Op<ClientStream, &ClientStream::on_start> start_op_{this};
  Op<ClientStream, &ClientStream::on_metadata> metadata_op_{this};
  Op<ClientStream, &ClientStream::on_read> read_op_{this};
  Op<ClientStream, &ClientStream::on_writes_done> writes_done_op_{this};
  Op<ClientStream, &ClientStream::on_finish> finish_op_{this};
};

grpc::ChannelArguments channel_arguments(const ClientOptions& options) {
  grpc::ChannelArguments args;
  constexpr auto kMessageMax = static_cast<int>(limits::kRpcMessageBytesMax);
  args.SetMaxReceiveMessageSize(kMessageMax);
  args.SetMaxSendMessageSize(kMessageMax);
  args.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(options.backoff_min.count()));
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(options.backoff_max.count()));
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMaxMs);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(kKeepAliveEvery.count()));
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, static_cast<int>(kKeepAliveWithin.count()));
  args.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return args;
}

/// Two clients, and two processes, are to differ; nobody has to be unable to guess it.
std::uint64_t jitter_seed(const void* self) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return mix64(static_cast<std::uint64_t>(now) ^ mix64(static_cast<std::uint64_t>(::getpid()))) ^
         reinterpret_cast<std::uintptr_t>(self);
}

}  // namespace

struct Client::Impl final : CallOwner, std::enable_shared_from_this<Client::Impl> {
  Impl(Loop& l, ClientOptions o, RawClientEvents& e)
      : loop(l.impl()), options(std::move(o)), handler(e), random(jitter_seed(this)) {}

  void dial();
  void schedule_dial();
  void watch();
  void drop(const std::string& why);
  void on_accepted(ClientStream& stream) override;
  void on_message(ClientStream& stream, google::protobuf::MessageLite& in) override;
  void on_ended(ClientStream& stream, const std::string& why) override;
  void on_over(ClientStream& stream) override;
  [[nodiscard]] RawClientEvents& events() override { return handler; }
  void tell_down(const std::string& why);

  Loop::Impl& loop;
  const ClientOptions options;
  RawClientEvents& handler;
  std::atomic<bool> up = false;
  std::atomic<bool> started = false;
  // The rest: loop thread.
  SeededRandom random;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  ClientStream* current = nullptr;
  std::unordered_map<ClientStream*, std::shared_ptr<ClientStream>> streams;
  int attempt = 0;
  bool stopping = false;
  MonoTime dialled_at{};
  MonoTime up_since{};
  MonoTime heard_at{};
  MonoTime watched_at{};
};

void Client::Impl::dial() {
  if (stopping || current != nullptr) return;
  if (!credentials) {
    auto made = channel_credentials(options.tls, options.peer_role, options.peer_name);
    if (!made) {
      rpc_log(RpcLogLevel::kError, error_text(made.error().code, made.error().detail));
      schedule_dial();
      return;
    }
    credentials = *std::move(made);
  }
  auto channel = grpc::CreateCustomChannel(options.target, credentials, channel_arguments(options));
  auto stream = std::make_shared<ClientStream>(loop, options, *this, std::move(channel));
  current = stream.get();
  dialled_at = loop.turn_time;
  streams.emplace(current, std::move(stream));
  current->start();
}

/// Full jitter: evenly over 0 .. min(max, min · 2^attempt), so that many clients of one server that
/// came back do not meet again.
void Client::Impl::schedule_dial() {
  if (stopping) return;
  const auto ceiling = std::min(options.backoff_max, options.backoff_min * (1 << attempt));
  attempt = std::min(attempt + 1, 16);
  const Millis delay{random.below(static_cast<std::uint64_t>(ceiling.count()) + 1)};
  loop.add_timer(delay, Millis{0}, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->dial();
  });
}

void Client::Impl::watch() {
  if (stopping) return;
  const MonoTime now = loop.turn_time;
  if (now - watched_at > kWatchEvery + kLateTick) heard_at = dialled_at = now;
  watched_at = now;
  if (current != nullptr && !current->is_accepted() && now - dialled_at > kDialMax) {
    drop("no answer to the dial");
  } else if (up && options.silence_max.count() > 0 && now - heard_at > options.silence_max) {
    drop("silent");
  }
  loop.add_timer(kWatchEvery, Millis{0}, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->watch();
  });
}

void Client::Impl::drop(const std::string& why) {
  if (current == nullptr) return;
  ClientStream* const stream = std::exchange(current, nullptr);
  stream->give_up(why);
  tell_down(why);
  schedule_dial();
}

void Client::Impl::tell_down(const std::string& why) {
  if (!up.exchange(false)) return;
  if (loop.turn_time - up_since >= kStableAfter) attempt = 0;
  handler.raw_down(why);
}

void Client::Impl::on_accepted(ClientStream& stream) {
  if (&stream != current) return;
  up_since = heard_at = loop.turn_time;
  up = true;
  handler.raw_up(stream);
}

void Client::Impl::on_message(ClientStream& stream, google::protobuf::MessageLite& in) {
  if (&stream != current) return;  // a batch that was on its way when the stream was dropped
  heard_at = loop.turn_time;
  handler.raw_batch(in);
}

void Client::Impl::on_ended(ClientStream& stream, const std::string& why) {
  if (&stream != current) return;  // dropped before: told then
  current = nullptr;
  if (!up) rpc_log(RpcLogLevel::kDebug, "dial " + options.target + ": " + why);
  tell_down(why);
  schedule_dial();
}

void Client::Impl::on_over(ClientStream& stream) {
  const auto found = streams.find(&stream);
  loop.graveyard.push_back(std::move(found->second));
  streams.erase(found);
}

Client::Client(Loop& loop, ClientOptions options, RawClientEvents& events)
    : impl_(std::make_shared<Impl>(loop, std::move(options), events)) {}

Client::~Client() {
  stop();
}

void Client::start() {
  if (impl_->started.exchange(true)) return;
  impl_->loop.post([impl = impl_] {
    impl->watched_at = impl->loop.turn_time;
    impl->dial();
    impl->watch();
  });
}

void Client::stop() {
  if (!impl_->started.exchange(false)) return;
  impl_->loop.post([impl = impl_] {
    impl->stopping = true;
    if (impl->current == nullptr) return;
    if (impl->current->is_accepted()) {
      impl->current->close();
    } else {
      impl->current->give_up("stopped");
    }
  });
  impl_->loop.wait_until([impl = impl_] { return impl->stopping && impl->streams.empty(); });
}

bool Client::is_up() const {
  return impl_->up;
}

void Client::redial(const std::string& why) {
  impl_->loop.post([impl = impl_, why] {
    if (!impl->stopping) impl->drop(why);
  });
}

}  // namespace hy::rpc
