#include <google/protobuf/message_lite.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/base/check.h"
#include "common/rpc/credentials.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/listen_address.h"
#include "common/rpc/stream_base.h"

namespace hy::rpc {
namespace {

constexpr int kStreamsPerConnectionMax = 64;
constexpr int kMetadataBytesMax = 8 * 1'024;
constexpr std::size_t kPeersMemoryMax = 512UL * 1'024 * 1'024;
constexpr int kAcceptsPending = 4;
constexpr Millis kShutdownMax{1'000};

class ServerStream;

struct Method {
  std::vector<std::string> roles;
  Server::Factory factory;
  Server::MakeOut make_out;
};

/// What a stream needs of the server that accepted it.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  virtual void on_accepted(ServerStream& stream, bool ok) = 0;
  virtual void on_over(ServerStream& stream) = 0;
  [[nodiscard]] virtual const Method* find(const std::string& name) const = 0;
  [[nodiscard]] virtual bool is_draining() const = 0;
  [[nodiscard]] virtual bool uses_tls() const = 0;
};

class ServerStream final : public StreamBase, public std::enable_shared_from_this<ServerStream> {
 public:
  ServerStream(Loop::Impl& loop, const QueueLimits& limits, StreamOwner& owner)
      : StreamBase(loop, limits), owner_(owner) {}

  void wait_for_call(grpc::AsyncGenericService& service) {
    ++ops_;
    service.RequestCall(&context_, &call_, loop_.cq.get(), loop_.cq.get(), tag(accept_op_));
  }

  /// The call has come: judges it, and begins or refuses it.
  void begin() {
    begun_ = true;
    peer_.address = context_.peer();
    const Method* method = owner_.find(context_.method());
    if (method == nullptr) {
      return finish({grpc::StatusCode::UNIMPLEMENTED, "no such stream: " + context_.method()});
    }
    if (owner_.is_draining()) return finish({grpc::StatusCode::UNAVAILABLE, "draining"});
    if (owner_.uses_tls() && !admit(*method)) {
      rpc_log(RpcLogLevel::kInfo, "refused " + context_.method() + " to " + peer_.address +
                                      " (role \"" + peer_.role + "\")");
      return finish({grpc::StatusCode::PERMISSION_DENIED, "this role may not open this stream"});
    }
    make_out_ = method->make_out;
    count_as(context_.method());
    context_.AddInitialMetadata(kAcceptedKey, "1");
    ++ops_;
    call_.SendInitialMetadata(tag(metadata_op_));
    handler_ = method->factory(*this);
    if (!handler_) return finish({grpc::StatusCode::PERMISSION_DENIED, "refused"});
    in_ = handler_->make_in();
    read();
  }

  [[nodiscard]] bool has_begun() const { return begun_; }
  void cancel() override { context_.TryCancel(); }

 private:
  template <class Operation>
  static void* tag(Operation& op) {
    return static_cast<CqEvent*>(&op);
  }

  bool admit(const Method& method) {
    const auto context = context_.auth_context();
    const auto identity = context ? identity_of(*context) : std::nullopt;
    if (!identity) return false;
    peer_.role = identity->role;
    peer_.name = identity->name;
    peer_.authenticated = true;
    return std::ranges::find(method.roles, identity->role) != method.roles.end();
  }

  void read() {
    ++ops_;
    call_.Read(&buffer_, tag(read_op_));
  }

  void on_accept(bool ok) {
    --ops_;
    owner_.on_accepted(*this, ok);
    settle();
  }

  void on_metadata(bool ok) {
    --ops_;
    if (ok) {
      open_writes();
    } else {
      stop_writes();
    }
    settle();
  }

  void on_read(bool ok) {
    --ops_;
    if (!ok) {
      tell_closed(local_fault_.empty() ? "the peer ended the stream" : local_fault_);
      finish(grpc::Status::OK);
    } else if (finish_wanted_) {
      // Nobody listens any more; the rest of what the peer sends is dropped.
    } else if (!parse(buffer_, *in_)) {
      tell_closed("a batch that does not parse");
      finish({grpc::StatusCode::INVALID_ARGUMENT, "a batch that does not parse"});
    } else {
      handler_->raw_batch(*in_);
      in_->Clear();
      read();
    }
    settle();
  }

  void half_close() override { finish(grpc::Status::OK); }

  /// Sends the trailers once, after the write in flight.
  void finish(grpc::Status status) {
    if (std::exchange(finish_wanted_, true)) return;
    final_status_ = std::move(status);
    arm_close_limit();
    stop_writes();
    settle();
  }

  void on_finish(bool) {
    --ops_;
    tell_closed(local_fault_.empty() ? "closed" : local_fault_);
    settle();
  }

  void tell_closed(const std::string& why) {
    stop_writes();
    if (handler_ && !std::exchange(told_, true)) handler_->raw_close(why);
  }

  void settle() override {
    if (finish_wanted_ && !finish_started_ && !write_in_flight_) {
      finish_started_ = true;
      ++ops_;
      call_.Finish(final_status_, tag(finish_op_));
    }
    if (ops_ > 0 || over_) return;
    over_ = true;
    tell_closed(local_fault_.empty() ? "closed" : local_fault_);
    owner_.on_over(*this);
  }

  void start_write(const grpc::ByteBuffer& bytes, void* write_tag) override {
    call_.Write(bytes, write_tag);
  }
  MessagePtr make_out() override { return make_out_ ? make_out_() : handler_->make_out(); }
  std::weak_ptr<StreamBase> weak() override { return weak_from_this(); }

  StreamOwner& owner_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter call_{&context_};
  grpc::ByteBuffer buffer_;
  Server::MakeOut make_out_;
  std::unique_ptr<RawHandler> handler_;
  MessagePtr in_;
  grpc::Status final_status_;
  bool finish_wanted_ = false;
  bool finish_started_ = false;
  bool begun_ = false;
  bool told_ = false;
  bool over_ = false;
  Op<ServerStream, &ServerStream::on_accept> accept_op_{this};
  Op<ServerStream, &ServerStream::on_metadata> metadata_op_{this};
  Op<ServerStream, &ServerStream::on_read> read_op_{this};
  Op<ServerStream, &ServerStream::on_finish> finish_op_{this};
};

}  // namespace

struct Server::Impl final : StreamOwner {
  Impl(Loop& l, ServerOptions o) : loop(l.impl()), options(std::move(o)) {}

  Status start();
  void shutdown();
  void accept_next();
  void on_accepted(ServerStream& stream, bool ok) override;
  void on_over(ServerStream& stream) override;
  [[nodiscard]] const Method* find(const std::string& name) const override;
  [[nodiscard]] bool is_draining() const override { return draining; }
  [[nodiscard]] bool uses_tls() const override { return options.tls.enabled(); }
  Status check_addresses();
  void set_limits(grpc::ServerBuilder& builder) const;
  void close_all();

  Loop::Impl& loop;
  ServerOptions options;
  std::map<std::string, Method, std::less<>> methods;
  std::vector<SocketLock> locks;
  std::vector<int> ports;
  grpc::AsyncGenericService service;
  std::unique_ptr<grpc::Server> server;
  // The rest: loop thread.
  std::unordered_map<ServerStream*, std::shared_ptr<ServerStream>> streams;
  std::size_t waiting = 0;  // of them: not opened by a peer yet
  bool draining = false;
};

const Method* Server::Impl::find(const std::string& name) const {
  const auto found = methods.find(name);
  return found == methods.end() ? nullptr : &found->second;
}

Status Server::Impl::check_addresses() {
  if (options.listen.empty()) return fail(Errc::kConfigMissing, "no address to listen on");
  for (const std::string& address : options.listen) {
    HY_TRY(const Reach reach, reach_of(address));
    if (reach == Reach::kUnix) {
      HY_TRY(SocketLock lock, SocketLock::take(address.substr(5)));
      locks.push_back(std::move(lock));
      continue;
    }
    if (options.tls.enabled() || reach == Reach::kLoopback) continue;
    if (reach == Reach::kPublic || !options.insecure_peers) {
      return fail(Errc::kUnsafeStart, address + " without TLS: set [tls], or listen on loopback");
    }
  }
  return {};
}

void Server::Impl::set_limits(grpc::ServerBuilder& builder) const {
  constexpr auto kMessageMax = static_cast<int>(limits::kRpcMessageBytesMax);
  builder.SetMaxReceiveMessageSize(kMessageMax);
  builder.SetMaxSendMessageSize(kMessageMax);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, static_cast<int>(kKeepAliveEvery.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(kKeepAliveWithin.count()));
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Or the peers' own questions would be taken for an attack (too_many_pings).
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // What all peers together may make gRPC hold (security.md §10).
  grpc::ResourceQuota quota("hongyan-peers");
  quota.Resize(kPeersMemoryMax);
  builder.SetResourceQuota(quota);
}

Status Server::Impl::start() {
  HY_CHECK(!server);
  if (loop.has_server) return fail(Errc::kInternal, "a loop carries one server");
  HY_TRY_VOID(check_addresses());
  HY_TRY(const auto credentials, server_credentials(options.tls));
  loop.has_server = true;
  set_limits(loop.builder);
  loop.builder.RegisterAsyncGenericService(&service);
  ports.assign(options.listen.size(), 0);
  std::string all;
  for (std::size_t i = 0; i < options.listen.size(); ++i) {
    loop.builder.AddListeningPort(options.listen[i], credentials, &ports[i]);
    all += (i == 0 ? "" : ", ") + options.listen[i];
  }
  server = loop.builder.BuildAndStart();
  if (!server) return fail(Errc::kPortInUse, all);
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const bool is_unix = options.listen[i].starts_with("unix:");
    if (ports[i] == 0) return fail(Errc::kPortInUse, options.listen[i]);
    if (is_unix) ports[i] = 0;
    if (is_unix && ::chmod(options.listen[i].c_str() + 5, 0660) != 0) {
      return fail(Errc::kUnsafeStart, options.listen[i] + ": cannot set its mode to 0660");
    }
  }
  loop.post([this] {
    for (int i = 0; i < kAcceptsPending; ++i) accept_next();
  });
  return {};
}

void Server::Impl::accept_next() {
  if (draining) return;
  auto stream = std::make_shared<ServerStream>(loop, options.queue, *this);
  ServerStream* const raw = stream.get();
  streams.emplace(raw, std::move(stream));
  ++waiting;
  raw->wait_for_call(service);
}

void Server::Impl::on_accepted(ServerStream& stream, bool ok) {
  --waiting;
  if (!ok) return;  // shutting down; settle() ends the object
  accept_next();
  stream.begin();
}

void Server::Impl::on_over(ServerStream& stream) {
  const auto found = streams.find(&stream);
  loop.graveyard.push_back(std::move(found->second));
  streams.erase(found);
}

void Server::Impl::close_all() {
  draining = true;
  for (const auto& stream : streams) {
    if (stream.first->has_begun()) stream.first->close();
  }
}

void Server::Impl::shutdown() {
  if (!server) return;
  loop.post([this] { close_all(); });
  loop.wait_until([this] { return draining && streams.size() == waiting; });
  // grpc::Server::Shutdown blocks until the last call object is gone, and those go on the loop.
  std::atomic<bool> down = false;
  std::thread blocking([this, &down] {
    server->Shutdown(std::chrono::system_clock::now() + kShutdownMax);
    down = true;
    loop.post([] {});
  });
  loop.wait_until([this, &down] { return down && streams.empty(); });
  blocking.join();
  server.reset();
  locks.clear();
}

Server::Server(Loop& loop, ServerOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

Server::~Server() {
  shutdown();
}

void Server::serve(std::string method, std::vector<std::string> roles, Factory factory,
                   MakeOut make_out) {
  HY_CHECK(!impl_->server);
  impl_->methods[std::move(method)] = {std::move(roles), std::move(factory), std::move(make_out)};
}

Status Server::start() {
  return impl_->start();
}

const std::vector<int>& Server::ports() const {
  return impl_->ports;
}

void Server::shutdown() {
  impl_->shutdown();
}

}  // namespace hy::rpc
