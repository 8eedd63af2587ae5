#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/rpc/loop.h"

namespace google::protobuf {
class MessageLite;
}

/// What the tiers see of gRPC: long-lived bidirectional streams that carry batches. No gRPC type
/// crosses this header.
namespace hy::rpc {

/// Who is at the other end: from its certificate where mTLS is on, else from its Hello.
struct PeerInfo {
  std::string role;
  std::string name;
  std::string address;
  bool authenticated = false;
};

/// How full a stream's queue may get. Full is said by has_room(), and means: refuse with a code, or
/// drop by rule.
struct QueueLimits {
  std::size_t envelopes_max = 16'384;
  std::size_t bytes_max = 32 * 1'024 * 1'024;
};

/// One write's worth, as the tiers fill it. `Batch` is the generated message of the stream's
/// direction.
class RawStream {
 public:
  virtual ~RawStream() = default;
  /// The batch that goes out next. Add envelopes to it, then call queued() for each.
  virtual google::protobuf::MessageLite& next() = 0;
  /// Counts one envelope of about `bytes` in next(); it is written at the end of this turn at the
  /// latest when the write in flight has finished. A batch that reaches limits::kBatchEnvelopesMax
  /// or kBatchBytesMax is sealed.
  virtual void queued(std::size_t bytes) = 0;
  [[nodiscard]] virtual bool has_room() const = 0;
  [[nodiscard]] virtual std::size_t queued_envelopes() const = 0;
  [[nodiscard]] virtual const PeerInfo& peer() const = 0;
  /// Ends the stream after what is queued was written, or after 1 s. on_close follows.
  virtual void close() = 0;
};

/// The same, typed. A value: copy it freely; valid until on_close of its handler has returned.
template <class Out>
class Stream {
 public:
  Stream() = default;
  explicit Stream(RawStream* raw) : raw_(raw) {}
  [[nodiscard]] Out& next() const { return static_cast<Out&>(raw_->next()); }
  void queued(std::size_t bytes) const { raw_->queued(bytes); }
  [[nodiscard]] bool has_room() const { return raw_ != nullptr && raw_->has_room(); }
  [[nodiscard]] std::size_t queued_envelopes() const { return raw_->queued_envelopes(); }
  [[nodiscard]] const PeerInfo& peer() const { return raw_->peer(); }
  void close() const {
    if (raw_ != nullptr) raw_->close();
  }
  explicit operator bool() const { return raw_ != nullptr; }
  friend bool operator==(const Stream&, const Stream&) = default;

 private:
  RawStream* raw_ = nullptr;
};

/// Callbacks of one stream, on the loop thread. `In` may be moved from.
class RawHandler {
 public:
  virtual ~RawHandler() = default;
  virtual void raw_batch(google::protobuf::MessageLite& in) = 0;
  /// The last call. Every request still open on the stream is "outcome unknown".
  virtual void raw_close(const std::string& why) = 0;
  virtual std::unique_ptr<google::protobuf::MessageLite> make_in() const = 0;
  virtual std::unique_ptr<google::protobuf::MessageLite> make_out() const = 0;
};

/// A server-side stream, as a tier writes it. Made by the factory given to Server::serve.
template <class Out, class In>
class Handler : public RawHandler {
 public:
  virtual void on_batch(In& batch) = 0;
  virtual void on_close(const std::string& why) = 0;

  void raw_batch(google::protobuf::MessageLite& in) final { on_batch(static_cast<In&>(in)); }
  void raw_close(const std::string& why) final { on_close(why); }
  std::unique_ptr<google::protobuf::MessageLite> make_in() const final {
    return std::make_unique<In>();
  }
  std::unique_ptr<google::protobuf::MessageLite> make_out() const final {
    return std::make_unique<Out>();
  }
};

/// TLS 1.3 in both directions, or none. All three files, or none of them.
struct TlsFiles {
  std::string ca{};           // PEM
  std::string certificate{};  // PEM, one URI SAN: spiffe://hy/<cluster>/<idc>/<role>/<name>
  std::string key{};          // PEM, 0600
  [[nodiscard]] bool enabled() const { return !certificate.empty(); }
};

struct ServerOptions {
  std::vector<std::string> listen{};  // "127.0.0.1:14100" (port 0: any) or "unix:/path"
  TlsFiles tls{};
  bool insecure_peers = true;  // plain TCP beyond loopback is refused unless set
  QueueLimits queue{};
};

/// Accepts streams on a loop. Refuses a used port (Errc::kPortInUse) and guards Unix socket paths
/// with a lock file.
class Server {
 public:
  Server(Loop& loop, ServerOptions options);
  ~Server();
  using Factory = std::function<std::unique_ptr<RawHandler>(RawStream&)>;
  using MakeOut = std::function<std::unique_ptr<google::protobuf::MessageLite>()>;
  /// method: "/hy.das.v1.LogicStream/Data". roles: who may open it (checked against the
  /// certificate, or, without mTLS, against Hello by the handler). Before start().
  /// make_out lets a handler's constructor write; without it writing starts with the first batch.
  void serve(std::string method, std::vector<std::string> roles, Factory factory,
             MakeOut make_out = {});
  template <class H, class Out>
  void serve_with(std::string method, std::vector<std::string> roles,
                  std::function<std::unique_ptr<H>(Stream<Out>)> make) {
    serve(
        std::move(method), std::move(roles),
        [make = std::move(make)](RawStream& raw) -> std::unique_ptr<RawHandler> {
          return make(Stream<Out>(&raw));
        },
        [] { return std::make_unique<Out>(); });
  }
  Status start();
  /// Ports actually bound, in the order of `listen` (0 for Unix sockets).
  [[nodiscard]] const std::vector<int>& ports() const;
  /// Closes all streams (what is queued is written first, at most 1 s), stops accepting. Loop
  /// thread not required; returns when done. The loop must be running.
  void shutdown();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Both ends of a connection: who has heard nothing for `every` asks, and gives the connection up
/// when no answer comes `within`. Without it a peer whose host is gone, or a path that is cut
/// without a word, would be believed for as long as TCP retransmits: a quarter of an hour.
inline constexpr Millis kKeepAliveEvery{5'000};
inline constexpr Millis kKeepAliveWithin{3'000};

struct ClientOptions {
  std::string target{};  // "127.0.0.1:14100" or "unix:/path"
  std::string method{};
  std::string peer_name{};  // for logs and /readyz; with mTLS the name its certificate must carry
                            // (empty: any)
  std::string peer_role{};  // with mTLS the role that its certificate must carry
  TlsFiles tls{};
  QueueLimits queue{};
  Millis backoff_min{50};
  Millis backoff_max{2'000};
  Millis silence_max{
      0};  // > 0: no batch for so long → the channel is dropped and dialled anew (router.md §4)
};

class RawClientEvents {
 public:
  virtual ~RawClientEvents() = default;
  virtual void raw_up(RawStream& stream) = 0;
  virtual void raw_batch(google::protobuf::MessageLite& in) = 0;
  virtual void raw_down(const std::string& why) = 0;
  virtual std::unique_ptr<google::protobuf::MessageLite> make_in() const = 0;
  virtual std::unique_ptr<google::protobuf::MessageLite> make_out() const = 0;
};

/// What a tier does with its link to one peer. on_up: write the Hello first. Between on_up and
/// on_down exactly one stream is alive.
template <class Out, class In>
class ClientEvents : public RawClientEvents {
 public:
  virtual void on_up(Stream<Out> stream) = 0;
  virtual void on_batch(In& batch) = 0;
  virtual void on_down(const std::string& why) = 0;

  void raw_up(RawStream& stream) final { on_up(Stream<Out>(&stream)); }
  void raw_batch(google::protobuf::MessageLite& in) final { on_batch(static_cast<In&>(in)); }
  void raw_down(const std::string& why) final { on_down(why); }
  std::unique_ptr<google::protobuf::MessageLite> make_in() const final {
    return std::make_unique<In>();
  }
  std::unique_ptr<google::protobuf::MessageLite> make_out() const final {
    return std::make_unique<Out>();
  }
};

/// Keeps one stream to one peer alive: dials, and after a loss dials again for ever with
/// full-jitter back-off. The stream counts as up when the server's first batch (its Hello) has come
/// or the call was accepted.
class Client {
 public:
  /// `events` outlives the client. Dialling starts at start(); all callbacks on the loop thread.
  Client(Loop& loop, ClientOptions options, RawClientEvents& events);
  ~Client();
  void start();
  /// Closes the stream (what is queued is written first, at most 1 s) and stops dialling; on_down
  /// is the last call. Any thread; returns when done. The loop must be running.
  void stop();
  [[nodiscard]] bool is_up() const;
  /// Drops the channel now and dials anew.
  void redial(const std::string& why);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hy::rpc
