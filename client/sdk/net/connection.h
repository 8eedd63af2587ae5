#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "client/core/turn.h"
#include "common/net/asio.h"

namespace hy::client {

/// Who hears of a connection's events. On the connection's thread.
class ConnectionUser {
 public:
  virtual ~ConnectionUser() = default;
  virtual void on_connected(AttemptId attempt) = 0;
  virtual void on_connect_failed(AttemptId attempt, const std::string& why) = 0;
  /// Bytes are there: call read() of the connection until it returns nothing.
  virtual void on_readable(AttemptId attempt) = 0;
  virtual void on_closed(AttemptId attempt, const std::string& why) = 0;
};

/// One TCP socket of the SDK. Never two writes in flight; what gathers meanwhile goes as the next
/// one. An idle connection owns no buffer. Unplugged, it neither reads nor writes nor closes, as if
/// the cable were out.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& context, AttemptId attempt, std::weak_ptr<ConnectionUser> user,
             bool is_unplugged)
      : socket_(context), attempt_(attempt), user_(std::move(user)), is_unplugged_(is_unplugged) {}

  void connect(const std::string& address);
  void send(Bytes bytes);
  /// Takes what has arrived into the thread's buffer; empty: nothing more now, or an end that
  /// on_closed tells.
  std::span<std::uint8_t> read();
  /// flush: what is queued is written first. No event comes afterwards.
  void close(bool flush);
  /// RST instead of FIN at the next close.
  void abort_on_close();
  void plug(bool in);

 private:
  void start_connect();
  void wait_readable();
  void start_write();
  void shut();
  void fail_connect(const std::string& why);
  void fail(const std::string& why);

  net::Tcp::socket socket_;
  AttemptId attempt_;
  std::weak_ptr<ConnectionUser> user_;
  std::string address_;
  Bytes writing_;
  Bytes next_;
  std::string error_;  ///< of read(): told once the reader has returned
  bool is_unplugged_;
  bool is_connected_ = false;
  bool is_writing_ = false;
  bool is_waiting_ = false;
  bool is_closing_ = false;  ///< no events any more
  bool closes_when_written_ = false;
  bool closes_on_plug_ = false;
  bool connects_on_plug_ = false;
};

}  // namespace hy::client
