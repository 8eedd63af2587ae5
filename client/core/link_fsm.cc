#include "client/core/link_fsm.h"

#include <algorithm>

#include "common/wire/hello.h"
#include "common/wire/refused.h"

namespace hy::client {
namespace {

constexpr std::uint32_t kSdkVersion = 0x0000'0100;
constexpr auto kFlagsOfAck = wire::kTypeAck;
/// Request ids of the link's own requests; the device's count from 1.
constexpr std::uint32_t kLinkIds = 0x8000'0000;

}  // namespace

LinkFsm::LinkFsm(LinkSettings settings, LinkUser& user, DeviceRecord& device, Random& random)
    : settings_(std::move(settings)),
      user_(user),
      device_(device),
      random_(random),
      reconnect_(settings_.reconnect, settings_.entries),
      heartbeat_(settings_.heartbeat_default) {}

void LinkFsm::start(Turn& turn, MonoTime now, Identity identity) {
  if (is_open()) user_.on_down(turn, now);
  close_all(turn);
  identity_ = std::move(identity);
  has_session_token_ = false;
  token_failed_ = false;
  first_login_pending_ = true;
  reconnect_.forget_failures();
  move_at_ = kNever;
  if (!has_identity()) {
    stop_for_good(turn, Error{Errc::kNotLoggedIn, "no token and no password", {}});
    return;
  }
  find(turn, now);
}

void LinkFsm::stop(Turn& turn, MonoTime now, const std::string& why, bool say_logout) {
  if (is_open()) {
    if (say_logout) send(now, Type::kLogout, kLinkIds | next_login_id_++, {});
    flush(turn);
    turn.net.emplace_back(CloseConnection{live_->attempt, true});
    live_.reset();
    user_.on_down(turn, now);
  }
  close_all(turn);
  next_try_ = move_at_ = kNever;
  set_state(turn, LinkState::kIdle, why);
  end_first_login(turn, fail(Errc::kUnavailable, why));
}

void LinkFsm::drop(Turn& turn, MonoTime now, const std::string& why) {
  if (live_ != nullptr || !racers_.empty()) lost(turn, now, Error{Errc::kUnavailable, why, {}});
}

bool LinkFsm::has_identity() const {
  return !identity_.token.empty() || !identity_.password.empty() || !device_.token.empty();
}

void LinkFsm::set_state(Turn& turn, LinkState state, const std::string& why) {
  if (state == state_ && state != LinkState::kBackingOff) return;
  state_ = state;
  turn.notices.emplace_back(LinkChanged{state, why});
}

void LinkFsm::end_first_login(Turn& turn, const Status& status) {
  if (!std::exchange(first_login_pending_, false)) return;
  turn.notices.emplace_back(LoginEnded{status});
}

// ---- finding and racing

void LinkFsm::find(Turn& turn, MonoTime now) {
  next_try_ = kNever;
  set_state(turn, LinkState::kFinding, "");
  race_left_ = reconnect_.candidates(settings_.race_max, device_.last_entry, prefer_, avoid_);
  if (race_left_.empty()) {
    stop_for_good(turn, Error{Errc::kUnreachableServer, "no entry address is known", {}});
    return;
  }
  std::ranges::reverse(race_left_);
  race_size_ = race_left_.size();
  // The counter is on disk before the attempt: a device that dies now still counts up next time,
  // and the newest connection always wins.
  raise_counter(turn, device_.conn_counter + 1);
  race_deadline_ = now + settings_.connect_within;
  set_state(turn, LinkState::kRacing, race_left_.back());
  race_next(turn, now);
}

void LinkFsm::raise_counter(Turn& turn, std::uint32_t counter) {
  device_.conn_counter = counter;
  turn.writes.emplace_back(PutDevice{device_});
}

void LinkFsm::race_next(Turn& turn, MonoTime now) {
  if (race_left_.empty()) {
    race_next_at_ = kNever;
    return;
  }
  last_attempt_ = AttemptId{last_attempt_.value() + 1};
  racers_.push_back({last_attempt_, std::move(race_left_.back())});
  race_left_.pop_back();
  turn.net.emplace_back(Connect{last_attempt_, racers_.back().address});
  race_next_at_ = race_left_.empty() ? kNever : now + settings_.race_gap;
}

void LinkFsm::close_all(Turn& turn) {
  for (const Racer& racer : racers_) turn.net.emplace_back(CloseConnection{racer.attempt});
  racers_.clear();
  race_left_.clear();
  race_next_at_ = race_deadline_ = kNever;
  if (live_ == nullptr) return;
  turn.net.emplace_back(CloseConnection{live_->attempt});
  live_.reset();
  out_.clear();
}

void LinkFsm::connected(Turn& turn, MonoTime now, AttemptId attempt) {
  const auto winner = std::ranges::find(racers_, attempt, &Racer::attempt);
  if (winner == racers_.end()) return;
  auto live = std::make_unique<Live>();
  live->attempt = attempt;
  live->address = winner->address;
  racers_.erase(winner);
  close_all(turn);
  live_ = std::move(live);
  begin_handshake(turn, now);
}

void LinkFsm::connect_failed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why) {
  const auto loser = std::ranges::find(racers_, attempt, &Racer::attempt);
  if (loser == racers_.end()) return;
  racers_.erase(loser);
  race_next(turn, now);
  if (racers_.empty()) lost(turn, now, Error{Errc::kUnreachableServer, why, {}});
}

// ---- handshake and login

void LinkFsm::begin_handshake(Turn& turn, MonoTime now) {
  set_state(turn, LinkState::kHandshake, live_->address);
  const wire::ChannelSuite* const suite = wire::find_suite(settings_.suite);
  if (suite == nullptr || settings_.server_key.size() != 32) {
    stop_for_good(turn, Error{Errc::kUnknownServerKey, "no valid server key is pinned", {}});
    return;
  }
  const crypto::View32 key{as_bytes(settings_.server_key).data(), 32};
  wire::Hello hello;
  hello.suite = settings_.suite;
  hello.sdk = kSdkVersion;
  hello.key_id = wire::key_id(key);
  Bytes hello_frame;
  wire::append_hello(hello, hello_frame);
  live_->handshake = std::make_unique<wire::NkInitiator>(*suite, as_bytes(hello_frame), key,
                                                         crypto::X25519KeyPair::generate(random_));
  Bytes message;
  if (!live_->handshake->write_1({}, message)) {
    stop_for_good(turn, Error{Errc::kUnknownServerKey, "the pinned key is no public key", {}});
    return;
  }
  wire::append_frame(wire::Outer::kHandshake1, as_bytes(message), hello_frame);
  live_->deadline = now + settings_.handshake_within;
  live_->heard = now;
  turn.net.emplace_back(SendBytes{live_->attempt, std::move(hello_frame)});
}

void LinkFsm::received(Turn& turn, MonoTime now, AttemptId attempt, std::span<std::uint8_t> bytes) {
  if (live_ == nullptr || live_->attempt != attempt) return;
  live_->heard = now;
  live_->probe_deadline = kNever;
  while (live_ != nullptr && live_->attempt == attempt) {
    const auto read_state = live_->phase == Phase::kHandshake ? wire::ReadState::kClientHandshake
                                                              : wire::ReadState::kClientOpen;
    auto frame = live_->decoder.next(bytes, read_state);
    if (!frame) {
      lost(turn, now, frame.error());
      return;
    }
    if (!*frame) return;
    if (const Status read = read_frame(turn, now, **frame); !read) {
      // What cannot be proven to come from the server decides nothing: back off, try again.
      if (read.error().code == Errc::kUnknownServerKey) end_first_login(turn, read);
      lost(turn, now, read.error());
      return;
    }
  }
}

Status LinkFsm::read_frame(Turn& turn, MonoTime now, const wire::Frame& frame) {
  if (live_->phase == Phase::kHandshake) {
    HY_TRY_VOID(read_handshake(now, frame));
    set_state(turn, LinkState::kLogin, live_->address);
    send_login(now);
    return {};
  }
  return read_inner(turn, now, frame);
}

Status LinkFsm::read_handshake(MonoTime now, const wire::Frame& frame) {
  if (frame.header.command == wire::Outer::kKeyNotice) {
    return fail(Errc::kUnknownServerKey, "the entry holds another key");
  }
  Bytes payload;
  auto transport = live_->handshake->read_2(frame.body, payload);
  if (!transport) return std::unexpected(transport.error());
  live_->transport = std::move(*transport);
  live_->handshake.reset();
  live_->phase = Phase::kLogin;
  live_->deadline = now + settings_.login_within;
  return {};
}

void LinkFsm::send_login(MonoTime now) {
  LoginFields fields;
  fields.slot = settings_.slot;
  fields.device_id = device_.device_id;
  fields.device_name = settings_.device_name;
  fields.conn_counter = device_.conn_counter;
  const bool own_token = has_session_token_ || identity_.password.empty() || token_failed_;
  if (!identity_.token.empty() && !token_failed_ && !has_session_token_) {
    fields.token = identity_.token;
  } else if (own_token && !device_.token.empty() && !token_failed_) {
    fields.token = device_.token;
  } else {
    fields.uid = identity_.uid;
    fields.name = identity_.name;
    fields.password = identity_.password;
  }
  live_->used_token = !fields.token.empty();
  live_->login_id = next_login_id_++;
  const Bytes body = encode_login(fields);
  wire::Inner inner{.type = Type::kLogin, .request_id = live_->login_id, .body = as_bytes(body)};
  wire::SealOptions options;
  options.wire_bytes_max = limits::kBodyBeforeLoginMax;
  out_attempt_ = live_->attempt;
  if (const Status sealed = wire::seal_frame(live_->transport, inner, options, out_); !sealed) {
    live_->deadline = now;  // too long a name or device id: the login times out with that state
  }
}

Status LinkFsm::read_inner(Turn& turn, MonoTime now, const wire::Frame& frame) {
  const bool is_before_login = live_->phase == Phase::kLogin;
  auto inner = wire::open_frame(
      live_->transport, frame,
      is_before_login ? wire::Compression::kForbidden : wire::Compression::kAllowed,
      live_->scratch);
  if (!inner) return std::unexpected(inner.error());
  if (inner->type == (Type::kLogin | kFlagsOfAck)) {
    if (!is_before_login || inner->request_id != live_->login_id) return {};
    return (inner->flags & wire::kFlagRefused) != 0 ? login_refused(turn, now, *inner)
                                                    : login_answered(turn, now, *inner);
  }
  if (inner->type == Type::kKicked) {
    auto refusal = wire::decode_refused(inner->body);
    if (!refusal) return std::unexpected(refusal.error());
    ended_by_server(turn, now, refusal->error);
    return {};
  }
  if (inner->type == Type::kGoAway) {
    HY_TRY(const GoAwayRow row, decode_goaway(inner->body));
    goaway(turn, now, row);
    return {};
  }
  if (is_before_login) return {};
  if (inner->type == (Type::kPing | kFlagsOfAck) && (inner->flags & wire::kFlagRefused) == 0) {
    live_->pinged = kNever;
    progressed(now);
  }
  const Errc code = user_.on_frame(turn, now, *inner);
  return code == Errc::kOk ? Status{} : Status(fail(code));
}

Status LinkFsm::login_answered(Turn& turn, MonoTime now, const wire::Inner& inner) {
  HY_TRY(const LoginAnswered answer, decode_login(inner.body));
  if (device_.uid.value() != 0 && device_.uid != answer.uid) {
    stop_for_good(turn, Error{Errc::kForbidden, "this store belongs to another user", {}});
    return {};
  }
  opened(turn, now, answer);
  return {};
}

void LinkFsm::opened(Turn& turn, MonoTime now, const LoginAnswered& answer) {
  device_.uid = answer.uid;
  device_.name = answer.name;
  device_.auth_epoch = answer.auth_epoch;
  if (answer.conn_counter != 0) device_.conn_counter = answer.conn_counter;
  if (!answer.session_token.empty()) {
    device_.token = answer.session_token;
    has_session_token_ = true;
    token_failed_ = false;
  }
  device_.last_entry = live_->address;
  turn.writes.emplace_back(PutDevice{device_});
  live_->phase = Phase::kOpen;
  live_->deadline = kNever;
  const Millis wanted =
      answer.heartbeat.count() > 0 ? answer.heartbeat : settings_.heartbeat_default;
  heartbeat_ = std::clamp(wanted, settings_.heartbeat_min, settings_.heartbeat_max);
  storm_window_ = answer.storm_window;
  live_->ping_at = now + heartbeat_;
  progressed(now);
  reconnect_.online(now);
  reconnect_.learn(answer.entries);
  prefer_.clear();
  avoid_.clear();
  move_at_ = kNever;
  set_state(turn, LinkState::kSyncing, live_->address);
  const AttemptId attempt = live_->attempt;
  if (const Status taken = user_.on_login(turn, now, answer); !taken) {
    stop_for_good(turn, taken.error());
    return;
  }
  if (live_ != nullptr && live_->attempt == attempt) end_first_login(turn, {});
}

Status LinkFsm::login_refused(Turn& turn, MonoTime now, const wire::Inner& inner) {
  auto refusal = wire::decode_refused(inner.body);
  if (!refusal) return std::unexpected(refusal.error());
  const Error& why = refusal->error;
  if (why.code == Errc::kStaleEpoch && !live_->has_retried_counter) {
    // Another life of this store counted further (a restored backup): go above it, once.
    live_->has_retried_counter = true;
    raise_counter(turn, std::max(refusal->conn_counter, device_.conn_counter) + 1);
    send_login(now);
    return {};
  }
  const RetryRule rule = error_info(why.code).retry;
  if (rule == RetryRule::kLogin && live_->used_token && !identity_.password.empty()) {
    token_failed_ = true;
    send_login(now);
    return {};
  }
  const bool is_final = rule == RetryRule::kStop || rule == RetryRule::kNever ||
                        rule == RetryRule::kLogin || rule == RetryRule::kPersonMends ||
                        why.code == Errc::kLoginLocked;
  if (is_final) {
    stop_for_good(turn, why);
  } else {
    lost(turn, now, why);
  }
  return {};
}

// ---- the open link

void LinkFsm::send(MonoTime now, std::uint16_t type, std::uint32_t request_id, ByteView body) {
  if (!is_open()) return;
  const wire::Inner inner{.type = type, .request_id = request_id, .body = body};
  wire::SealOptions options;
  options.compression = wire::Compression::kAllowed;
  out_attempt_ = live_->attempt;
  const Status sealed = wire::seal_frame(live_->transport, inner, options, out_);
  // The counter of this direction is used up: a new connection has new keys.
  if (!sealed && sealed.error().code == Errc::kConnectionTooOld) live_->probe_deadline = now;
}

void LinkFsm::flush(Turn& turn) {
  if (out_.empty()) return;
  if (live_ != nullptr && live_->attempt == out_attempt_) {
    turn.net.emplace_back(SendBytes{out_attempt_, std::move(out_)});
  }
  out_ = Bytes();
}

void LinkFsm::probe(MonoTime now) {
  if (!is_open() || live_->probe_deadline != kNever) return;
  live_->probe_deadline = now + settings_.probe_within;
  live_->ping_at = now;
}

void LinkFsm::synced(Turn& turn) {
  if (state_ == LinkState::kSyncing) set_state(turn, LinkState::kOnline, entry());
}

void LinkFsm::goaway(Turn& turn, MonoTime now, const GoAwayRow& row) {
  if (move_at_ != kNever || live_ == nullptr) return;
  move_at_ = now + jitter(random_, row.wait_max);
  prefer_ = row.entries;
  avoid_ = live_->address;
  set_state(turn, LinkState::kMoving, error_text(row.code));
}

void LinkFsm::ended_by_server(Turn& turn, MonoTime now, const Error& error) {
  const RetryRule rule = error_info(error.code).retry;
  if (rule == RetryRule::kStop || error.code == Errc::kRevoked) {
    stop_for_good(turn, error);
    return;
  }
  if (error.code == Errc::kDraining || error.code == Errc::kConnectionTooOld) {
    goaway(turn, now, GoAwayRow{error.code, Millis{0}, {}});
  }
  lost(turn, now, error);
}

void LinkFsm::closed(Turn& turn, MonoTime now, AttemptId attempt, const std::string& why) {
  if (live_ != nullptr && live_->attempt == attempt) {
    lost(turn, now, Error{Errc::kUnavailable, why, {}});
    return;
  }
  connect_failed(turn, now, attempt, why);
}

void LinkFsm::lost(Turn& turn, MonoTime now, const Error& why) {
  const bool was_open = is_open();
  const bool had_connection = live_ != nullptr;
  if (!had_connection) reconnect_.rotate(std::max<std::size_t>(race_size_, 1));
  if (had_connection && !was_open) reconnect_.rotate(1);
  close_all(turn);
  if (was_open) user_.on_down(turn, now);
  // Asked to move: the place in time was drawn already.
  const MonoTime asked = std::exchange(move_at_, kNever);
  if (asked <= now) {
    next_try_ = now;
    set_state(turn, LinkState::kMoving, error_text(why.code, why.detail));
    return;
  }
  Millis wait = reconnect_.next_wait(now, was_open, storm_window_, why.retry_after, random_);
  // Lost before that: nobody is away for longer than a loss alone would make it.
  if (asked != kNever) wait = std::min(wait, std::chrono::ceil<Millis>(asked - now));
  next_try_ = now + wait;
  set_state(turn, LinkState::kBackingOff,
            error_text(why.code, why.detail) + "; next try in " + seconds_text(wait));
}

void LinkFsm::stop_for_good(Turn& turn, const Error& why) {
  const bool was_open = is_open();
  close_all(turn);
  next_try_ = move_at_ = kNever;
  if (was_open) user_.on_down(turn, MonoTime{});
  set_state(turn, LinkState::kStopped, error_text(why.code, why.detail));
  end_first_login(turn, std::unexpected(why));
}

// ---- time

void LinkFsm::tick(Turn& turn, MonoTime now) {
  if (next_try_ <= now) {
    find(turn, now);
    return;
  }
  if (race_deadline_ <= now && live_ == nullptr) {
    lost(turn, now, Error{Errc::kTimedOut, "no entry answers", {}});
    return;
  }
  if (race_next_at_ <= now) race_next(turn, now);
  if (live_ == nullptr) return;
  if (live_->deadline <= now) {
    const bool in_login = live_->phase == Phase::kLogin;
    lost(turn, now, Error{in_login ? Errc::kLoginTimeout : Errc::kHandshakeTimeout, "", {}});
    return;
  }
  if (is_open()) tick_open(turn, now);
}

void LinkFsm::tick_open(Turn& turn, MonoTime now) {
  if (move_at_ <= now) {
    lost(turn, now, Error{Errc::kDraining, "moving", {}});
    return;
  }
  const Millis silence = heartbeat_ * 5 / 2;
  if (now - live_->heard >= silence || live_->probe_deadline <= now) {
    lost(turn, now, Error{Errc::kSilentPeer, "", {}});
    return;
  }
  // The peer keeps the socket and does nothing: no PONG and no progress for two heartbeats.
  const bool is_stuck = live_->pinged != kNever && now - live_->pinged >= heartbeat_ * 2 &&
                        now - progress_at_ >= heartbeat_ * 2;
  if (is_stuck) {
    lost(turn, now, Error{Errc::kSilentPeer, "no progress for two heartbeats", {}});
    return;
  }
  if (live_->ping_at <= now) {
    live_->ping_at = now + heartbeat_;
    if (live_->pinged == kNever) live_->pinged = now;
    send(now, Type::kPing, kLinkIds | next_login_id_++, {});
  }
}

MonoTime LinkFsm::wake_at() const {
  MonoTime at = std::min({next_try_, race_next_at_, race_deadline_});
  if (live_ == nullptr) return at;
  at = std::min(at, live_->deadline);
  if (!is_open()) return at;
  at = std::min(
      {at, move_at_, live_->heard + heartbeat_ * 5 / 2, live_->probe_deadline, live_->ping_at});
  if (live_->pinged != kNever) {
    at = std::min(at, std::max(live_->pinged, progress_at_) + heartbeat_ * 2);
  }
  return at;
}

}  // namespace hy::client
