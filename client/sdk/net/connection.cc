#include "client/sdk/net/connection.h"

#include <array>
#include <utility>

#include "common/net/listener.h"

namespace hy::client {
namespace {

constexpr std::size_t kReadBytes = 64 * 1'024;

/// One buffer per thread: bytes are handled before anything else reads on it.
std::span<std::uint8_t> thread_buffer() {
  thread_local std::array<std::uint8_t, kReadBytes> buffer;
  return buffer;
}

}  // namespace

void Connection::connect(const std::string& address) {
  address_ = address;
  if (is_unplugged_) {
    connects_on_plug_ = true;
    return;
  }
  start_connect();
}

void Connection::start_connect() {
  const auto endpoint = net::parse_endpoint(address_);
  if (!endpoint) {
    // Told later: the caller is inside a turn.
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->fail_connect(self->address_ + ": not an IP:PORT");
    });
    return;
  }
  socket_.async_connect(*endpoint, [self = shared_from_this()](const net::ErrorCode& error) {
    if (self->is_closing_) return;
    if (error) {
      self->fail_connect(self->address_ + ": " + error.message());
      return;
    }
    net::tune_socket(self->socket_.native_handle());
    net::ErrorCode ignored;
    self->socket_.non_blocking(true, ignored);
    self->is_connected_ = true;
    if (const auto user = self->user_.lock()) user->on_connected(self->attempt_);
    self->wait_readable();
  });
}

void Connection::fail_connect(const std::string& why) {
  if (std::exchange(is_closing_, true)) return;
  shut();
  if (const auto user = user_.lock()) user->on_connect_failed(attempt_, why);
}

void Connection::wait_readable() {
  if (is_closing_ || is_unplugged_ || is_waiting_ || !is_connected_) return;
  is_waiting_ = true;
  socket_.async_wait(net::Tcp::socket::wait_read,
                     [self = shared_from_this()](const net::ErrorCode& error) {
                       self->is_waiting_ = false;
                       if (self->is_closing_ || self->is_unplugged_) return;
                       if (error) {
                         self->fail(error.message());
                         return;
                       }
                       if (const auto user = self->user_.lock()) user->on_readable(self->attempt_);
                       if (!self->error_.empty()) self->fail(self->error_);
                       self->wait_readable();
                     });
}

std::span<std::uint8_t> Connection::read() {
  if (is_closing_ || is_unplugged_ || !error_.empty()) return {};
  const auto buffer = thread_buffer();
  net::ErrorCode error;
  const std::size_t n = socket_.read_some(asio::buffer(buffer.data(), buffer.size()), error);
  if (!error) return buffer.first(n);
  if (error != asio::error::would_block && error != asio::error::try_again) {
    error_ = error == asio::error::eof ? "the server closed the connection" : error.message();
  }
  return {};
}

void Connection::send(Bytes bytes) {
  if (is_closing_) return;
  if (next_.empty()) {
    next_ = std::move(bytes);
  } else {
    next_ += bytes;
  }
  start_write();
}

void Connection::start_write() {
  if (is_writing_ || is_unplugged_ || !is_connected_ || next_.empty()) return;
  is_writing_ = true;
  writing_ = std::exchange(next_, Bytes());
  asio::async_write(socket_, asio::buffer(writing_.data(), writing_.size()),
                    [self = shared_from_this()](const net::ErrorCode& error, std::size_t) {
                      self->is_writing_ = false;
                      self->writing_ = Bytes();
                      if (error) {
                        if (self->closes_when_written_) self->shut();
                        self->fail(error.message());
                        return;
                      }
                      self->start_write();
                      if (self->closes_when_written_ && !self->is_writing_) self->shut();
                    });
}

void Connection::fail(const std::string& why) {
  if (std::exchange(is_closing_, true)) return;
  shut();
  if (const auto user = user_.lock()) user->on_closed(attempt_, why);
}

void Connection::close(bool flush) {
  if (std::exchange(is_closing_, true)) return;
  connects_on_plug_ = false;
  if (is_unplugged_ && is_connected_) {
    closes_on_plug_ = true;  // a pulled cable carries no FIN
    return;
  }
  if (flush && (is_writing_ || !next_.empty())) {
    closes_when_written_ = true;
    start_write();
    return;
  }
  shut();
}

void Connection::shut() {
  net::ErrorCode ignored;
  socket_.close(ignored);
}

void Connection::abort_on_close() {
  net::ErrorCode ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
}

void Connection::plug(bool in) {
  is_unplugged_ = !in;
  if (!in) return;
  if (std::exchange(closes_on_plug_, false)) {
    shut();
    return;
  }
  if (std::exchange(connects_on_plug_, false)) start_connect();
  start_write();
  wait_readable();
}

}  // namespace hy::client
