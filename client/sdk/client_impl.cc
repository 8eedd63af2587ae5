#include "client/sdk/client_impl.h"

#include <future>
#include <utility>

#include "common/base/test_hooks.h"

namespace hy {
namespace {

constexpr auto kAnswerWithin = std::chrono::seconds(10);

client::DeviceSettings settings_of(const ClientOptions& o) {
  client::DeviceSettings s;
  s.link.entries = o.entries;
  s.link.server_key = o.server_key;
  s.link.suite = o.suite;
  s.link.slot = o.slot;
  s.link.device_name = o.device_name;
  s.link.connect_within = o.connect_within;
  s.outbox.resend_min = o.resend_min;
  s.outbox.resend_max = o.resend_max;
  s.outbox.resend_for = o.resend_for;
  s.outbox.window_per_conversation = std::max(o.send_window, 1U);
  s.outbox.window_total = s.outbox.window_per_conversation * 3 / 2;
  s.inbox.first_tail = std::max(o.first_tail, 1U);
  return s;
}

int rank(Step step) {
  switch (step) {
    case Step::kQueued:
    case Step::kRefused:
    case Step::kUnsure: return 0;
    case Step::kSent: return 1;
    case Step::kRelayed: return 2;
    case Step::kStored: return 3;
    case Step::kDelivered: return 4;
    case Step::kRead: return 5;
  }
  return 0;
}

}  // namespace

void Sent::State::apply(Step next, Errc why, Seq at) {
  {
    const std::lock_guard lock(mutex);
    // Receipts and answers may cross: nothing goes back but by the person's retry().
    const bool is_restart = rank(next) == 0 && rank(step) < rank(Step::kStored);
    if (!is_restart && rank(next) <= rank(step)) return;
    step = next;
    code = why;
    if (at.value() != 0) seq = at;
  }
  changed.notify_all();
}

bool Sent::State::has_reached(Step wanted) const {
  if (step == wanted) return true;
  if (rank(wanted) == 0) return wanted == Step::kQueued;
  return rank(step) >= rank(wanted);
}

Client::Impl::Impl(ClientOptions o, Runtime* shared)
    : options(std::move(o)),
      own_runtime(shared == nullptr ? std::make_unique<Runtime::Impl>() : nullptr),
      runtime(shared == nullptr ? own_runtime.get() : shared->impl_.get()) {
  const std::string file = options.store;
  driver = std::make_shared<client::Driver>(
      runtime->context, settings_of(options), options.device_id,
      [file]() -> Result<std::unique_ptr<client::Store>> {
        if (file.empty()) return client::make_memory_store();
        return client::open_sqlite_store(file);
      },
      [this](client::Notice& notice) { on_notice(notice); });
  on_thread([this] {
    driver->observe(options.observer.get());
    driver->want_ladder(options.observer != nullptr);
    opened = driver->open();
    if (opened) note_state();
  });
}

Client::Impl::~Impl() {
  on_thread([this] {
    if (opened) {
      (void)driver->run(
          [](client::Device& d, client::Turn& turn, MonoTime now) { d.close(turn, now); });
    }
    driver->shut();
  });
  // The thread ends first; the driver's timer and sockets go before their context (member order).
  if (own_runtime != nullptr) own_runtime->stop();
  // On a shared runtime late handlers hold the driver weakly and find it shut.
}

void Client::Impl::on_thread(const std::function<void()>& f) {
  if (is_here()) {
    f();
    return;
  }
  std::promise<void> done;
  asio::post(runtime->context, [&] {
    f();
    done.set_value();
  });
  done.get_future().wait();
}

template <class To>
Result<Sent> Client::Impl::submit(To to, Bytes body, std::uint32_t kind) {
  Result<Sent> out = fail(Errc::kInternal);
  on_thread([&] {
    if (!opened) {
      out = std::unexpected(opened.error());
      return;
    }
    Result<ClientMsgId> id = fail(Errc::kInternal);
    const Status stored = driver->run([&](client::Device& d, client::Turn& turn, MonoTime now) {
      id = d.submit(turn, now, driver->wall_ms(), to, kind, std::move(body));
      if (!id) return;
      // Known before the turn ends: its first steps are told inside it.
      Sent sent;
      sent.state = std::make_shared<Sent::State>(*id, runtime->thread_.get_id());
      handles[*id] = sent.state;
      out = std::move(sent);
    });
    sync_point("sdk.after_outbox_write");
    if (!id) out = std::unexpected(id.error());
    if (!stored) {
      if (id) handles.erase(*id);
      out = std::unexpected(stored.error());
    }
  });
  return out;
}

template Result<Sent> Client::Impl::submit(Uid, Bytes, std::uint32_t);
template Result<Sent> Client::Impl::submit(Gid, Bytes, std::uint32_t);

Result<Bytes> Client::Impl::ask(std::uint16_t type, Bytes body) {
  if (is_here()) return fail(Errc::kUnavailable, "would wait on the SDK's own thread");
  if (!opened) return std::unexpected(opened.error());
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex);
    ticket = next_token++;
    waiters[ticket] = {};
  }
  Status asked;
  on_thread([&] {
    asked = driver->run([&](client::Device& d, client::Turn&, MonoTime now) {
      d.request(now, ticket, type, std::move(body), kAnswerWithin);
    });
  });
  std::unique_lock lock(mutex);
  if (!asked) {
    waiters.erase(ticket);
    return std::unexpected(asked.error());
  }
  // The device ends every request by its deadline; the second bound is for a store that failed
  // meanwhile and took the request with it.
  changed.wait_for(lock, kAnswerWithin * 2, [&] { return waiters[ticket].is_done; });
  Waiter waiter = std::move(waiters[ticket]);
  waiters.erase(ticket);
  if (!waiter.is_done) return fail(Errc::kDeadlineExceeded);
  return std::move(waiter.result);
}

Status Client::Impl::wait_up_to_date() {
  if (!opened) return opened;
  std::uint64_t before = 0;
  {
    const std::lock_guard lock(mutex);
    before = synced;
  }
  on_thread([&] {
    (void)driver->run([](client::Device& d, client::Turn&, MonoTime now) { d.sync_now(now); });
  });
  if (is_here()) return {};
  std::unique_lock lock(mutex);
  const bool done = changed.wait_for(lock, kAnswerWithin * 3, [&] { return synced > before; });
  return done ? Status{} : Status(fail(Errc::kDeadlineExceeded, link_why));
}

// ---- notices, on the SDK's thread

void Client::Impl::on_notice(client::Notice& notice) {
  if (const auto* shown = std::get_if<client::Shown>(&notice)) {
    std::unique_lock lock(mutex);
    const auto f = message_callback;
    lock.unlock();
    if (f) f(shown->message);
  } else if (const auto* step = std::get_if<client::StepChanged>(&notice)) {
    note_step(*step);
  } else if (const auto* rung = std::get_if<client::Ladder>(&notice)) {
    std::unique_lock lock(mutex);
    const auto f = ladder_callback;
    lock.unlock();
    if (f) f(rung->event);
  } else if (auto* answered = std::get_if<client::Answered>(&notice)) {
    note_answer(*answered);
  } else if (const auto* changed_link = std::get_if<client::LinkChanged>(&notice)) {
    std::unique_lock lock(mutex);
    link = changed_link->state;
    link_why = changed_link->why;
    changed.notify_all();
    const auto f = state_callback;
    lock.unlock();
    note_state();
    if (f) f(changed_link->state, changed_link->why);
  } else if (const auto* ended = std::get_if<client::LoginEnded>(&notice)) {
    note_state();
    const std::lock_guard lock(mutex);
    login_ended = true;
    login_status = ended->status;
    changed.notify_all();
  } else if (const auto* read = std::get_if<client::ReadEnded>(&notice)) {
    const std::lock_guard lock(mutex);
    const auto at = reads_ended.find(read->conversation);
    if (at != reads_ended.end()) at->second = read->status;
    changed.notify_all();
  } else if (const auto* receipt = std::get_if<client::GroupReceipt>(&notice)) {
    std::unique_lock lock(mutex);
    const auto f = group_receipt_callback;
    lock.unlock();
    if (f) f(Gid{receipt->conversation.lo}, receipt->member);
  } else if (std::get_if<client::UpToDate>(&notice) != nullptr) {
    const std::lock_guard lock(mutex);
    ++synced;
    changed.notify_all();
  }
}

void Client::Impl::note_state() {
  const client::Device& device = driver->device();
  const std::lock_guard lock(mutex);
  uid = device.record().uid;
  entry = device.link().entry();
  token = device.record().token.reveal();
}

void Client::Impl::note_answer(client::Answered& answered) {
  const std::lock_guard lock(mutex);
  const auto at = waiters.find(answered.token);
  if (at == waiters.end()) return;
  at->second.is_done = true;
  at->second.result = std::move(answered.body);
  changed.notify_all();
}

void Client::Impl::note_step(const client::StepChanged& step) {
  const auto at = handles.find(step.id);
  if (at != handles.end()) {
    if (const auto state = at->second.lock()) {
      state->apply(step.step, step.code, step.seq);
      if (step.step == Step::kRead) handles.erase(at);
    } else {
      handles.erase(at);
    }
  }
  if (handles.size() > handles_sweep_at) {
    std::erase_if(handles, [](const auto& handle) { return handle.second.expired(); });
    handles_sweep_at = std::max<std::size_t>(1'024, handles.size() * 2);
  }
  std::unique_lock lock(mutex);
  const auto f = step_callback;
  lock.unlock();
  if (f) f(step.id, step.step, step.code, step.seq);
}

void Client::Impl::keep_names(const std::vector<std::pair<Uid, std::string>>& users) {
  on_thread([&] {
    // Only saves a question later: a failure here costs nothing.
    for (const auto& [user, name] : users) (void)driver->write(client::PutName{name, user});
  });
}

}  // namespace hy
