#include "tests/faults/tcp_gate.h"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <numeric>
#include <thread>

#include "tests/faults/gate_link.h"

namespace hy::faults {
namespace {

constexpr Millis kAcceptAgain{100};  // after EMFILE, which would come back at once
constexpr int kBacklog = 4'096;

std::string describe(const Stream::endpoint& at, const std::string& listen) {
  if (listen.starts_with("unix:")) return listen;
  net::Tcp::endpoint tcp;
  tcp.resize(at.size());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(at.data()), at.size(),
              reinterpret_cast<std::uint8_t*>(tcp.data()));
  return tcp.address().to_string() + ":" + std::to_string(tcp.port());
}

}  // namespace

std::uint64_t GateCounters::felt() const {
  std::uint64_t sum = refused + resets + cuts + commits_swallowed + commits_cut;
  for (const Way& w : way) {
    sum += w.vanished + w.delayed + w.stalled;
    sum = std::accumulate(w.touched.begin(), w.touched.end(), sum);
  }
  return sum;
}

/// Gate's thread alone, but for the address.
struct Gate::Impl : std::enable_shared_from_this<Gate::Impl> {
  Impl(asio::io_context& io, const GateOptions& given)
      : state(io, given), acceptor(io), again(io) {}

  /// Runs `f` on the gate's thread and waits for it.
  template <class F>
  auto on_thread(F f) {
    std::packaged_task<decltype(f())()> task(std::move(f));
    auto done = task.get_future();
    asio::post(state.io, [&task] { task(); });
    return done.get();
  }

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const net::ErrorCode& error, Socket socket) {
      if (error == asio::error::operation_aborted || !self->acceptor.is_open()) return;
      if (error) {
        self->again.expires_after(kAcceptAgain);
        self->again.async_wait([self](const net::ErrorCode& stop) {
          if (!stop) self->accept();
        });
        return;
      }
      self->accepted(std::move(socket));
      self->accept();
    });
  }

  void accepted(Socket socket) {
    if (state.refuses) {
      ++state.counters.refused;
      close_by_reset(socket);
      return;
    }
    ++state.counters.accepted;
    ++state.counters.open;
    auto link = std::make_shared<Link>(state, std::move(socket));
    state.links.insert(link);
    link->start();
  }

  void kick_all() {
    const auto all = state.links;
    for (const auto& link : all) link->kick();
  }

  void reset_all(bool counts) {
    const auto all = state.links;
    for (const auto& link : all) {
      if (counts) ++state.counters.resets;
      link->reset();
    }
  }

  void close() {
    net::ErrorCode ignored;
    again.cancel();
    acceptor.close(ignored);
    reset_all(false);
    if (address.starts_with("unix:")) ::unlink(address.c_str() + 5);
  }

  GateState state;
  asio::basic_socket_acceptor<Stream> acceptor;
  asio::steady_timer again;
  std::string address;
};

struct Gates::Impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::vector<std::weak_ptr<Gate::Impl>> gates;  // io's thread alone
  std::thread thread{[this] { io.run(); }};
};

Gates::Gates() : impl_(std::make_unique<Impl>()) {}

Gates::~Gates() {
  asio::post(impl_->io, [this] {
    for (const auto& weak : impl_->gates) {
      if (const auto gate = weak.lock()) gate->close();
    }
    impl_->work.reset();
  });
  impl_->thread.join();
}

Result<std::unique_ptr<Gate>> Gates::open(const GateOptions& options) {
  HY_TRY(const Stream::endpoint listen, parse_endpoint(options.listen));
  HY_TRY(const Stream::endpoint target, parse_endpoint(options.target));
  auto impl = std::make_shared<Gate::Impl>(impl_->io, options);
  impl->state.target = target;
  if (options.listen.starts_with("unix:")) ::unlink(options.listen.c_str() + 5);
  net::ErrorCode error;
  impl->acceptor.open(listen.protocol(), error);
  if (!error) impl->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl->acceptor.bind(listen, error);
  if (!error) impl->acceptor.listen(kBacklog, error);
  if (error) return fail(Errc::kPortInUse, options.listen + ": " + error.message());
  impl->address = describe(impl->acceptor.local_endpoint(error), options.listen);
  impl->on_thread([&] {
    std::erase_if(impl_->gates, [](const auto& weak) { return weak.expired(); });
    impl_->gates.push_back(impl);
    impl->accept();
  });
  return std::unique_ptr<Gate>(new Gate(std::move(impl)));
}

Gate::Gate(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Gate::~Gate() {
  impl_->on_thread([this] { impl_->close(); });
}

const std::string& Gate::address() const {
  return impl_->address;
}
const std::string& Gate::name() const {
  return impl_->state.options.name;
}

void Gate::set(Direction direction, const LinkFault& fault) {
  impl_->on_thread([&] {
    impl_->state.fault(direction) = fault;
    impl_->kick_all();
  });
}

void Gate::set_both(const LinkFault& fault) {
  impl_->on_thread([&] {
    impl_->state.faults = {fault, fault};
    impl_->kick_all();
  });
}

void Gate::pull(bool pulled) {
  impl_->on_thread([&] {
    for (LinkFault& fault : impl_->state.faults) fault.vanish = pulled;
    impl_->kick_all();
  });
}

void Gate::refuse_new(bool refuse) {
  impl_->on_thread([&] { impl_->state.refuses = refuse; });
}

void Gate::reset_all() {
  impl_->on_thread([&] { impl_->reset_all(true); });
}

void Gate::cut_after(Direction direction, std::uint64_t bytes) {
  impl_->on_thread([&] { impl_->state.cut_left[static_cast<std::size_t>(direction)] = bytes; });
}

void Gate::set_frames(Direction direction, const FrameFaultRates& rates) {
  impl_->on_thread([&] { impl_->state.judges[static_cast<std::size_t>(direction)].set(rates); });
}

void Gate::strike(Direction direction, FrameFault fault, std::uint64_t n, bool data_only) {
  impl_->on_thread([&] {
    impl_->state.judges[static_cast<std::size_t>(direction)].strike(fault, n, data_only);
  });
}

void Gate::set_commits(const CommitFault& fault) {
  impl_->on_thread([&] { impl_->state.commits = fault; });
}

void Gate::retarget(std::string target) {
  const auto endpoint = parse_endpoint(target);
  if (!endpoint) return;
  impl_->on_thread([&] {
    impl_->state.options.target = std::move(target);
    impl_->state.target = *endpoint;
  });
}

void Gate::record(std::size_t connections, std::size_t bytes) {
  impl_->on_thread([&] {
    impl_->state.record_connections = connections;
    impl_->state.record_bytes = bytes;
  });
}

std::vector<GateRecording> Gate::recordings() const {
  return impl_->on_thread([&] { return impl_->state.recordings; });
}

void Gate::heal() {
  impl_->on_thread([&] {
    GateState& s = impl_->state;
    s.faults = {};
    s.cut_left = {};
    s.refuses = false;
    for (FrameJudge& judge : s.judges) judge.heal();
    s.commits = {};
    impl_->kick_all();
  });
}

GateCounters Gate::counters() const {
  return impl_->on_thread([&] { return impl_->state.counters; });
}

}  // namespace hy::faults
