#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/wire/server_key.h"

namespace hy::raw {
namespace {

using Clock = std::chrono::steady_clock;

sockaddr_in address_of(const std::string& ip, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, ip.c_str(), &out.sin_addr);
  return out;
}

int left_ms(Clock::time_point until) {
  const auto left = std::chrono::ceil<Millis>(until - Clock::now()).count();
  return left < 0 ? 0 : static_cast<int>(left);
}

}  // namespace

std::string_view end_name(End end) {
  switch (end) {
    case End::kClosedSilently: return "closed silently";
    case End::kSaidSomething: return "said something";
    case End::kStillOpen: break;
  }
  return "still open";
}

Client::~Client() {
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool Client::connect() {
  close();
  decoder_ = {};
  transport_ = {};
  rest_ = {};
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const sockaddr_in from = address_of(options_.from, 0);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) return false;
  const std::size_t colon = options_.address.rfind(':');
  const sockaddr_in to =
      address_of(options_.address.substr(0, colon), std::stoi(options_.address.substr(colon + 1)));
  return ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

bool Client::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void Client::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

wire::Hello Client::hello() const {
  wire::Hello out;
  out.suite = options_.suite;
  out.key_id = wire::key_id(options_.server_key);
  return out;
}

Bytes Client::first_flight(const wire::Hello& hello) {
  Bytes out;
  wire::append_hello(hello, out);
  // A suite that does not exist has no name: the handshake is then made with the first one.
  const wire::ChannelSuite* suite = wire::find_suite(hello.suite);
  if (suite == nullptr) suite = wire::find_suite(wire::kSuiteAesGcm);
  handshake_ = std::make_unique<wire::NkInitiator>(*suite, as_bytes(out), options_.server_key,
                                                   crypto::X25519KeyPair::generate(random_));
  Bytes message;
  if (!handshake_->write_1({}, message)) return {};
  wire::append_frame(wire::Outer::kHandshake1, as_bytes(message), out);
  return out;
}

Client::Got Client::read_more(Clock::time_point until) {
  pollfd p{fd_, POLLIN, 0};
  if (::poll(&p, 1, left_ms(until)) <= 0) return Got::kNothing;
  in_.resize(64 * 1'024);
  const ssize_t n = ::recv(fd_, in_.data(), in_.size(), 0);
  if (n <= 0) return Got::kEnd;
  rest_ = {reinterpret_cast<std::uint8_t*>(in_.data()), static_cast<std::size_t>(n)};
  return Got::kBytes;
}

Result<std::optional<wire::Frame>> Client::next_frame() {
  return decoder_.next(
      rest_, handshake_ ? wire::ReadState::kClientHandshake : wire::ReadState::kClientOpen);
}

bool Client::finish_handshake() {
  const auto until = Clock::now() + kAnswerWithin;
  for (;;) {
    const auto frame = next_frame();
    if (!frame) return false;
    if (!*frame) {
      if (read_more(until) != Got::kBytes) return false;
      continue;
    }
    if ((*frame)->header.command != wire::Outer::kHandshake2) return false;
    Bytes payload;
    auto transport = handshake_->read_2((*frame)->body, payload);
    handshake_.reset();
    if (!transport) return false;
    transport_ = *transport;
    return true;
  }
}

bool Client::open() {
  return connect() && write(first_flight()) && finish_handshake();
}

Bytes Client::seal(std::uint16_t type, std::uint32_t request_id, std::string_view body,
                   std::uint16_t flags) {
  Bytes inner(8, '\0');
  auto* p = reinterpret_cast<std::uint8_t*>(inner.data());
  put_be<std::uint16_t>(p, type);
  put_be<std::uint16_t>(p + 2, flags);
  put_be<std::uint32_t>(p + 4, request_id);
  inner.append(body);
  return seal_inner(inner);
}

Bytes Client::seal_inner(std::string_view inner) {
  const auto length = static_cast<std::uint32_t>(inner.size() + limits::kTagBytes);
  const wire::HeaderBytes header = wire::pack_header({wire::Outer::kData, length});
  Bytes out(as_text(header));
  out.resize(header.size() + length);
  auto* sealed = reinterpret_cast<std::uint8_t*>(out.data()) + header.size();
  if (!transport_.seal(header, as_bytes(inner), sealed)) return {};
  return out;
}

Answer Client::next(Millis within) {
  const auto until = Clock::now() + within;
  Answer out;
  for (;;) {
    const auto frame = next_frame();
    if (frame && *frame) {
      const auto inner =
          wire::open_frame(transport_, **frame, wire::Compression::kAllowed, scratch_);
      if (!inner) break;
      out.type = inner->type;
      out.flags = inner->flags;
      out.request_id = inner->request_id;
      out.body = Bytes(as_text(inner->body));
      out.code = Errc::kOk;
      if ((inner->flags & wire::kFlagRefused) != 0) {
        const auto refusal = wire::decode_refused(inner->body);
        out.code = refusal ? refusal->error.code : Errc::kMalformedBody;
        if (refusal) out.refusal = *refusal;
      }
      return out;
    }
    if (!frame) break;
    const Got got = read_more(until);
    if (got == Got::kBytes) continue;
    (got == Got::kEnd ? out.closed : out.timed_out) = true;
    return out;
  }
  out.closed = true;  // what came was not from the server that we know
  return out;
}

Answer Client::await(std::uint32_t request_id, Millis within) {
  const auto until = Clock::now() + within;
  for (;;) {
    Answer answer = next(Millis(left_ms(until)));
    const bool is_notice = (answer.type & wire::kTypeNotice) != 0;
    if (answer.closed || answer.timed_out || (!is_notice && answer.request_id == request_id))
      return answer;
    if (is_notice) notices_.push_back(std::move(answer));
  }
}

Answer Client::call(std::uint16_t type, std::string_view body, Millis within) {
  const std::uint32_t id = fresh_id();
  if (!write(seal(type, id, body))) {
    Answer out;
    out.closed = true;
    return out;
  }
  return await(id, within);
}

Answer Client::notice(std::uint16_t type, Millis within) {
  const auto until = Clock::now() + within;
  for (;;) {
    for (auto it = notices_.begin(); it != notices_.end(); ++it) {
      if (it->type != type) continue;
      Answer out = std::move(*it);
      notices_.erase(it);
      return out;
    }
    Answer answer = next(Millis(left_ms(until)));
    if (answer.closed || answer.timed_out) return answer;
    if ((answer.type & wire::kTypeNotice) != 0) notices_.push_back(std::move(answer));
  }
}

End Client::wait_end(Millis within) {
  if (rest_.empty()) {
    switch (read_more(Clock::now() + within)) {
      case Got::kEnd: return End::kClosedSilently;
      case Got::kNothing: return End::kStillOpen;
      case Got::kBytes: break;
    }
  }
  rest_ = {};  // seen: the next call waits for what comes after it
  return End::kSaidSomething;
}

}  // namespace hy::raw
