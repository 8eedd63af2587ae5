#include <map>
#include <utility>

#include "common/base/check.h"
#include "tests/sim/kernel/sim_stream.h"

namespace hy::rpc {

struct Server::Impl final : StreamOwner, sim::Acceptor {
  struct Method {
    Server::Factory factory;
    Server::MakeOut make_out;
  };
  Impl(Loop& l, ServerOptions o) : loop(l.impl()), options(std::move(o)) {}

  bool on_accept(std::shared_ptr<Connection> connection, const std::string& what) override;
  void happened(SimStream& stream, Ready& event) override;
  MessagePtr make_out(SimStream& stream) override {
    return stream.make_out ? stream.make_out() : stream.handler->make_out();
  }
  void begin(SimStream& stream);
  void tell_closed(SimStream& stream, const std::string& why);
  void over(SimStream& stream);
  void shutdown();

  Loop::Impl& loop;
  ServerOptions options;
  std::map<std::string, Method> methods;
  std::vector<std::shared_ptr<SimStream>> streams;
  std::vector<int> ports;
  bool started = false;
  bool draining = false;
};

bool Server::Impl::on_accept(std::shared_ptr<Connection> connection, const std::string& what) {
  if (draining || !methods.contains(what)) return false;
  auto stream = std::make_shared<SimStream>(loop, options.queue, *this, std::move(connection),
                                            Connection::kAcceptor);
  stream->method = what;
  stream->peer_info.address = stream->far().name();
  streams.push_back(stream);
  loop.came({stream, {}, Happened::kBegin});
  return true;
}

void Server::Impl::begin(SimStream& stream) {
  const Method& method = methods.at(stream.method);
  stream.make_out = method.make_out;
  stream.send_tag(kAccepted);
  stream.handler = method.factory(stream);
  if (stream.handler == nullptr) return stream.cancel("refused");
  stream.open_writes();
}

void Server::Impl::happened(SimStream& stream, Ready& event) {
  switch (event.what) {
    case Happened::kBegin: return begin(stream);
    case Happened::kPacket:
      if (event.packet.tag == kWritesDone) {
        tell_closed(stream, "the peer ended the stream");
        stream.finish();
        return over(stream);
      }
      if (stream.handler != nullptr && !stream.told) {
        stream.handler->raw_batch(*event.packet.message);
      }
      return;
    case Happened::kFin:
      tell_closed(stream, "the peer ended the stream");
      stream.finish();
      return over(stream);
    case Happened::kReset:
    case Happened::kFinished:
      tell_closed(stream, stream.local_fault.empty() ? "closed" : stream.local_fault);
      return over(stream);
    case Happened::kRoom: return;
  }
}

void Server::Impl::tell_closed(SimStream& stream, const std::string& why) {
  stream.stop_writes();
  if (stream.handler != nullptr && !std::exchange(stream.told, true))
    stream.handler->raw_close(why);
}

void Server::Impl::over(SimStream& stream) {
  stream.over = true;
  std::erase_if(streams, [&stream](const auto& s) { return s.get() == &stream; });
}

void Server::Impl::shutdown() {
  if (!std::exchange(started, false)) return;
  draining = true;
  for (const std::string& address : options.listen) sim::Network::get().unlisten(address, this);
  const auto all = streams;
  for (const auto& stream : all) {
    if (!sim::is_dead_here()) {
      stream->flush_all();
      stream->finish();
      tell_closed(*stream, "closed");
    }
    stream->detach();
    stream->handler.reset();
    over(*stream);
  }
}

Server::Server(Loop& loop, ServerOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
Server::~Server() {
  shutdown();
}
void Server::serve(std::string method, std::vector<std::string> /*roles*/, Factory factory,
                   MakeOut make_out) {
  HY_CHECK(!impl_->started);
  impl_->methods[std::move(method)] = {std::move(factory), std::move(make_out)};
}
Status Server::start() {
  if (impl_->options.listen.empty()) return fail(Errc::kConfigMissing, "no address to listen on");
  impl_->started = true;
  for (const std::string& address : impl_->options.listen) {
    sim::Network::get().listen(address, *impl_->loop.node, impl_.get());
    const auto colon = address.rfind(':');
    impl_->ports.push_back(colon == std::string::npos ? 0 : std::atoi(address.c_str() + colon + 1));
  }
  return {};
}
const std::vector<int>& Server::ports() const {
  return impl_->ports;
}
void Server::shutdown() {
  impl_->shutdown();
}

}  // namespace hy::rpc
