#include "tests/faults/gate_link.h"

#include <algorithm>

namespace hy::faults {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kReadBytes = 64 * 1'024;
constexpr Millis kSwapWithin{200};
constexpr std::uint64_t kPiecesPerSecond = 50;  // how finely a limited rate is cut
constexpr std::size_t kPieceBytesMin = 256;

MonoTime now() {
  return Clock::now();
}

/// One buffer for all reads of the gate's thread.
std::array<char, kReadBytes>& read_buffer() {
  static thread_local std::array<char, kReadBytes> buffer;
  return buffer;
}

bool would_block(const net::ErrorCode& error) {
  return error == asio::error::would_block || error == asio::error::try_again ||
         error == asio::error::interrupted;
}

}  // namespace

void close_by_reset(Socket& socket) {
  net::ErrorCode ignored;
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

Result<Stream::endpoint> parse_endpoint(const std::string& text) {
  if (text.starts_with("unix:")) {
    const std::string path = text.substr(5);
    if (path.empty() || path.size() > 107) return fail(Errc::kUsage, "bad address " + text);
    return Stream::endpoint(asio::local::stream_protocol::endpoint(path));
  }
  const std::size_t colon = text.rfind(':');
  net::ErrorCode error;
  const auto ip = asio::ip::make_address(text.substr(0, colon), error);
  char* end = nullptr;
  const unsigned long port =
      colon == std::string::npos ? 65'536 : std::strtoul(text.c_str() + colon + 1, &end, 10);
  if (error || port > 65'535 || *end != '\0') return fail(Errc::kUsage, "bad address " + text);
  return Stream::endpoint(net::Tcp::endpoint(ip, static_cast<std::uint16_t>(port)));
}

bool GateState::chance(double p) {
  constexpr std::uint64_t kSteps = 1'000'000;
  return p > 0 && static_cast<double>(random.below(kSteps)) < p * kSteps;
}

CommitFate GateState::decide_commit() {
  ++counters.commits;
  if (commits.cut_next > 0 || chance(commits.cut_p)) {
    if (commits.cut_next > 0) --commits.cut_next;
    ++counters.commits_cut;
    return CommitFate::kCut;
  }
  if (commits.swallow_next > 0 || chance(commits.swallow_p)) {
    if (commits.swallow_next > 0) --commits.swallow_next;
    return CommitFate::kSwallow;
  }
  return CommitFate::kPass;
}

Link::Link(GateState& gate, Socket client)
    : gate_(gate),
      client_(std::move(client)),
      server_(gate.io),
      to_server_(Direction::kToServer, client_, server_),
      to_client_(Direction::kToClient, server_, client_) {
  if (gate.options.protocol == GateProtocol::kClient) {
    for (const Direction d : kBothDirections) {
      const auto at = static_cast<std::size_t>(d);
      pipe(d).mangler = std::make_unique<FrameMangler>(gate.judges[at], gate.counters.way[at]);
    }
  } else if (gate.options.protocol == GateProtocol::kMysql) {
    commits_ = std::make_unique<CommitWatch>([&gate] { return gate.decide_commit(); });
  }
  if (gate.recordings.size() < gate.record_connections) {
    recording_ = gate.recordings.size();
    gate.recordings.emplace_back();
  }
}

void Link::start() {
  net::ErrorCode ignored;
  client_.non_blocking(true, ignored);
  client_.set_option(net::Tcp::no_delay(true), ignored);
  if (gate_.vanishes()) {
    is_holed_ = true;  // its SYN, or the answer to it, was lost
    watch(to_server_);
    return;
  }
  dial();
}

void Link::dial() {
  server_.async_connect(gate_.target, [self = shared_from_this()](const net::ErrorCode& error) {
    if (self->is_over_) return;
    if (error) {
      ++self->gate_.counters.dial_failures;
      self->reset();
      return;
    }
    net::ErrorCode ignored;
    self->server_.non_blocking(true, ignored);
    self->server_.set_option(net::Tcp::no_delay(true), ignored);
    self->is_linked_ = true;
    self->watch(self->to_server_);
    self->watch(self->to_client_);
  });
}

void Link::kick() {
  for (const Direction d : kBothDirections) {
    Pipe& p = pipe(d);
    const LinkFault& f = fault(p);
    if (f.latency.count() == 0 && f.jitter.count() == 0 && f.bytes_per_second == 0 && f.loss <= 0) {
      for (Piece& piece : p.queue) piece.due = now();
      p.last_due = p.line_free = now();
    }
    p.timer.cancel();
    if (is_linked_ || is_holed_) pump(p);
    if (is_over_) return;
  }
}

void Link::reset() {
  if (is_over_) return;
  is_over_ = true;
  const auto self = shared_from_this();
  for (const Direction d : kBothDirections) {
    pipe(d).timer.cancel();
    pipe(d).hold_timer.cancel();
  }
  close_by_reset(client_);
  close_by_reset(server_);
  gate_.links.erase(self);
  --gate_.counters.open;
}

void Link::watch(Pipe& p) {
  if (is_over_ || p.waits_readable || p.has_ended) return;
  if (!is_linked_ && p.direction == Direction::kToClient) return;
  const LinkFault& f = fault(p);
  if (f.stall || p.queued >= gate_.options.buffer_bytes) {
    if (f.stall) ++count(p).stalled;
    return;
  }
  p.waits_readable = true;
  p.from.async_wait(Socket::wait_read,
                    [self = shared_from_this(), &p](const net::ErrorCode& error) {
                      p.waits_readable = false;
                      if (self->is_over_ || error == asio::error::operation_aborted) return;
                      self->on_readable(p);
                    });
}

void Link::on_readable(Pipe& p) {
  const LinkFault& f = fault(p);
  if (f.stall) {
    ++count(p).stalled;
    return;
  }
  net::ErrorCode error;
  const std::size_t room =
      gate_.options.buffer_bytes - std::min(gate_.options.buffer_bytes, p.queued);
  const std::size_t n = p.from.read_some(
      asio::buffer(read_buffer().data(), std::clamp<std::size_t>(room, 1, kReadBytes)), error);
  if (error && !would_block(error)) {
    ended(p, error != asio::error::eof);
    return;
  }
  if (n > 0) {
    if (f.vanish || (!is_linked_ && gate_.vanishes())) {
      is_holed_ = true;
      count(p).vanished += n;
    } else if (is_holed_) {
      ++gate_.counters.resets;
      reset();
      return;
    } else {
      took(p, std::string_view(read_buffer().data(), n));
    }
  }
  if (!is_over_) watch(p);
}

void Link::ended(Pipe& p, bool by_reset) {
  p.has_ended = true;
  if (fault(p).vanish || is_holed_) {
    is_holed_ = true;
    end_if_done();
    return;
  }
  if (by_reset) {
    reset();
    return;
  }
  if (p.mangler) p.mangler->finish([this, &p](std::string rest) { enqueue(p, std::move(rest)); });
  enqueue_piece(p, {}, true);
  pump(p);
}

void Link::record(Direction d, std::string_view in) {
  if (!recording_) return;
  std::string& kept = gate_.recordings[*recording_].way[static_cast<std::size_t>(d)];
  kept += in.substr(0, gate_.record_bytes - std::min(gate_.record_bytes, kept.size()));
}

void Link::took(Pipe& p, std::string_view in) {
  record(p.direction, in);
  if (commits_) {
    took_mysql(p, in);
    return;
  }
  if (!p.mangler) {
    enqueue(p, std::string(in));
  } else {
    p.mangler->feed(in, [this, &p](std::string out) { enqueue(p, std::move(out)); });
    if (p.mangler->holds()) {
      p.hold_timer.expires_after(kSwapWithin);
      p.hold_timer.async_wait([self = shared_from_this(), &p](const net::ErrorCode& error) {
        if (error || self->is_over_) return;
        p.mangler->release([&self, &p](std::string out) { self->enqueue(p, std::move(out)); });
        self->pump(p);
      });
    } else {
      p.hold_timer.cancel();
    }
  }
  pump(p);
}

void Link::took_mysql(Pipe& p, std::string_view in) {
  std::string out;
  const bool up = p.direction == Direction::kToServer;
  const auto next = up ? commits_->from_client(in, out) : commits_->from_server(in, out);
  if (next == CommitWatch::Next::kCut) {
    if (!up) ++gate_.counters.commits_swallowed;
    reset();
    return;
  }
  if (!out.empty()) enqueue(p, std::move(out));
  pump(p);
}

void Link::enqueue(Pipe& p, std::string bytes) {
  const std::uint64_t rate = fault(p).bytes_per_second;
  if (rate == 0) {
    enqueue_piece(p, std::move(bytes), false);
    return;
  }
  const std::size_t most = std::max<std::size_t>(kPieceBytesMin, rate / kPiecesPerSecond);
  for (std::size_t at = 0; at < bytes.size(); at += most) {
    enqueue_piece(p, bytes.substr(at, most), false);
  }
}

void Link::enqueue_piece(Pipe& p, std::string bytes, bool is_fin) {
  const LinkFault& f = fault(p);
  const MonoTime at = now();
  MonoTime due = at + f.latency;
  if (f.jitter.count() > 0) {
    due += Millis(static_cast<Millis::rep>(
        gate_.random.below(static_cast<std::uint64_t>(f.jitter.count()) + 1)));
  }
  if (gate_.chance(f.loss)) due += f.retransmit;
  due = std::max(due, p.last_due);
  if (f.bytes_per_second > 0) {
    due = std::max(due, p.line_free) +
          std::chrono::nanoseconds(bytes.size() * 1'000'000'000ULL / f.bytes_per_second);
    p.line_free = due;
  }
  p.last_due = due;
  if (due > at) ++count(p).delayed;
  p.queued += bytes.size();
  p.queue.push_back({due, std::move(bytes), is_fin});
}

void Link::pump(Pipe& p) {
  while (!is_over_ && !p.writes && !p.queue.empty()) {
    const LinkFault& f = fault(p);
    if (f.stall) {
      ++count(p).stalled;
      return;
    }
    Piece& front = p.queue.front();
    if (front.due > now()) {
      p.timer.expires_at(std::chrono::time_point_cast<Clock::duration>(front.due));
      p.timer.async_wait([self = shared_from_this(), &p](const net::ErrorCode& error) {
        if (!error && !self->is_over_) self->pump(p);
      });
      return;
    }
    if (f.vanish) {
      is_holed_ = true;
      count(p).vanished += front.bytes.size();
      p.queued -= front.bytes.size();
      p.queue.pop_front();
      continue;
    }
    if (front.is_fin) {
      net::ErrorCode ignored;
      p.to.shutdown(Socket::shutdown_send, ignored);
      p.fin_sent = true;
      p.queue.pop_front();
      end_if_done();
      return;
    }
    write_front(p);
  }
  if (!is_over_) watch(p);
}

void Link::write_front(Pipe& p) {
  Piece& front = p.queue.front();
  auto& left = gate_.cut_left[static_cast<std::size_t>(p.direction)];
  bool cut_here = false;
  if (left && *left <= front.bytes.size()) {
    p.queued -= front.bytes.size() - static_cast<std::size_t>(*left);
    front.bytes.resize(static_cast<std::size_t>(*left));
    left.reset();
    cut_here = true;
  } else if (left) {
    *left -= front.bytes.size();
  }
  p.writes = true;
  asio::async_write(
      p.to, asio::buffer(front.bytes),
      [self = shared_from_this(), &p, cut_here](const net::ErrorCode& error, std::size_t n) {
        if (!self->is_over_) self->wrote(p, error, n, cut_here);
      });
}

void Link::wrote(Pipe& p, const net::ErrorCode& error, std::size_t n, bool cut_here) {
  p.writes = false;
  count(p).bytes += n;
  if (cut_here) {
    ++gate_.counters.cuts;
    reset();
    return;
  }
  if (error) {
    // `to` is gone: its RST travels the other way, unless that way is cut.
    if (gate_
            .fault(p.direction == Direction::kToServer ? Direction::kToClient
                                                       : Direction::kToServer)
            .vanish) {
      is_holed_ = true;
      p.queue.clear();
      p.queued = 0;
      return;
    }
    reset();
    return;
  }
  p.queued -= p.queue.front().bytes.size();
  p.queue.pop_front();
  pump(p);
}

void Link::end_if_done() {
  const bool said_all = to_server_.fin_sent && to_client_.fin_sent;
  const bool both_gone = to_server_.has_ended && (to_client_.has_ended || !is_linked_) && is_holed_;
  if (!said_all && !both_gone) return;
  // Everything was passed on: a plain close, so that nothing in flight is thrown away.
  is_over_ = true;
  const auto self = shared_from_this();
  for (const Direction d : kBothDirections) {
    pipe(d).timer.cancel();
    pipe(d).hold_timer.cancel();
  }
  net::ErrorCode ignored;
  client_.close(ignored);
  server_.close(ignored);
  gate_.links.erase(self);
  --gate_.counters.open;
}

}  // namespace hy::faults
