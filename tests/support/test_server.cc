#include "tests/support/test_server.h"

#include <array>
#include <deque>
#include <future>
#include <optional>
#include <set>

#include "common/net/asio.h"
#include "common/net/io_threads.h"
#include "common/net/listener.h"

namespace hy::test {
namespace {

/// One socket of the server.
class Peer : public std::enable_shared_from_this<Peer> {
 public:
  Peer(net::Tcp::socket socket, bool is_frozen)
      : socket_(std::move(socket)), is_frozen_(is_frozen) {}

  void start(ModelServer& model) {
    const std::weak_ptr<Peer> weak = weak_from_this();
    connection_ = model.accept(
        [weak](Bytes bytes) {
          if (const auto self = weak.lock()) self->send(std::move(bytes));
        },
        [weak] {
          if (const auto self = weak.lock()) self->close(false);
        });
    read();
  }
  void freeze(bool on) {
    is_frozen_ = on;
    if (on) return;
    write();
    read();
  }
  void close(bool reset) {
    if (std::exchange(is_closing_, true)) return;
    net::ErrorCode ignored;
    if (reset) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
    if (reset || (!is_writing_ && out_.empty())) socket_.close(ignored);
    // Otherwise the last write closes: a KICKED must arrive before the end.
  }

 private:
  void read() {
    if (is_frozen_ || is_reading_ || !socket_.is_open()) return;
    is_reading_ = true;
    socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](
                                                       const net::ErrorCode& error, std::size_t n) {
      self->is_reading_ = false;
      if (error) {
        self->connection_->shut();
        return;
      }
      if (self->is_frozen_) return;  // taken from the kernel and lost: like a dead machine
      self->connection_->received({self->buffer_.data(), n});
      self->read();
    });
  }
  void send(Bytes bytes) {
    out_ += bytes;
    write();
  }
  void write() {
    if (is_frozen_ || is_writing_ || out_.empty() || !socket_.is_open()) return;
    is_writing_ = true;
    writing_ = std::exchange(out_, Bytes());
    asio::async_write(socket_, asio::buffer(writing_),
                      [self = shared_from_this()](const net::ErrorCode& error, std::size_t) {
                        self->is_writing_ = false;
                        if (!error) self->write();
                        net::ErrorCode ignored;
                        if (self->is_closing_ && !self->is_writing_) self->socket_.close(ignored);
                      });
  }

  net::Tcp::socket socket_;
  std::shared_ptr<ModelServer::Connection> connection_;
  std::array<std::uint8_t, 16 * 1'024> buffer_{};
  Bytes out_;
  Bytes writing_;
  bool is_frozen_;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_closing_ = false;
};

}  // namespace

struct TestServer::Impl {
  explicit Impl(std::uint64_t seed) : model(seed) {}
  ModelServer model;
  net::IoThreads threads{1};
  std::vector<std::weak_ptr<Peer>> peers;
  std::optional<net::Listener> listener;
  bool is_frozen = false;
  std::size_t accepted = 0;
};

TestServer::TestServer(std::uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {
  auto& context = impl_->threads.context(0);
  auto listener =
      net::Listener::open(context, "127.0.0.1:0", {}, [this, &context](net::Accepted accepted) {
        ++impl_->accepted;
        auto peer =
            std::make_shared<Peer>(std::move(accepted.into(context)).value(), impl_->is_frozen);
        impl_->peers.push_back(peer);
        peer->start(impl_->model);
      });
  HY_CHECK(listener.has_value());
  impl_->listener.emplace(std::move(*listener));
  impl_->listener->start();
  impl_->threads.start();
}

TestServer::~TestServer() {
  on([this](ModelServer&) {
    impl_->listener->close();
    for (const auto& weak : impl_->peers) {
      if (const auto peer = weak.lock()) peer->close(true);
    }
  });
  impl_->threads.stop();
}

std::string TestServer::address() const {
  return "127.0.0.1:" + std::to_string(impl_->listener->port());
}

Bytes TestServer::public_key() const {
  return impl_->model.public_key();
}

void TestServer::on(const std::function<void(ModelServer&)>& f) {
  std::promise<void> done;
  asio::post(impl_->threads.context(0), [&] {
    f(impl_->model);
    done.set_value();
  });
  done.get_future().wait();
}

void TestServer::half_open(bool is_on) {
  on([&](ModelServer&) {
    impl_->is_frozen = is_on;
    for (const auto& weak : impl_->peers) {
      if (const auto peer = weak.lock()) peer->freeze(is_on);
    }
  });
}

void TestServer::reset_all() {
  on([&](ModelServer&) {
    for (const auto& weak : impl_->peers) {
      if (const auto peer = weak.lock()) peer->close(true);
    }
    impl_->peers.clear();
  });
}

std::size_t TestServer::accepted() {
  std::size_t out = 0;
  on([&](ModelServer&) { out = impl_->accepted; });
  return out;
}

}  // namespace hy::test
