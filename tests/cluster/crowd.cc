#include "tests/cluster/crowd.h"

#include "common/base/random.h"

namespace hy::chaos {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kThreads = 4;  // send() returns after a commit of the outbox: one would wait
constexpr auto kLoginWithin = std::chrono::seconds(30);

Bytes make_body(std::size_t person, std::uint64_t number, Random& random) {
  Bytes body = "person " + std::to_string(person) + " number " + std::to_string(number) + " ";
  const std::size_t more = random.below(50) == 0 ? 4'096 : 20 + random.below(180);
  for (std::size_t i = 0; i < more; ++i) body += static_cast<char>('a' + random.below(26));
  return body;
}

}  // namespace

Crowd::~Crowd() {
  stop_talking();
  leave();
}

Status Crowd::sign_in(cli::Cluster& cluster, int pairs) {
  std::vector<std::string> names;
  for (int i = 0; i < 2 * pairs; ++i) names.push_back("person" + std::to_string(i));
  HY_TRY(const auto accounts, cluster.add_users(names));
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    auto person = std::make_unique<Person>();
    person->uid = accounts[i].uid;
    person->name = accounts[i].name;
    const auto store = folder_ / (accounts[i].name + ".db");
    person->tape = std::make_shared<Tape>(judge::DeviceKey{person->uid, Slot::kDesktop, 1});
    ClientOptions options = cluster.client_options(i, store.string());
    options.slot = Slot::kDesktop;
    options.observer = person->tape;
    person->client = std::make_unique<hy::Client>(std::move(options));
    Person* const p = person.get();
    const int index = static_cast<int>(i);
    p->client->on_message([this, index](const Message& m) { journal_.shown(index, m); });
    p->client->on_step([this](const ClientMsgId& id, Step step, Errc code, Seq seq) {
      journal_.step(id, step, code, seq);
    });
    p->client->on_state([p](LinkState, const std::string& why) {
      const std::lock_guard lock(p->mutex);
      p->why = why;
    });
    Credentials who;
    who.name = accounts[i].name;
    who.uid = accounts[i].uid;
    who.password = accounts[i].password;
    if (auto in = p->client->login(who, kLoginWithin); !in)
      return fail(in.error().code, p->name + ": " + in.error().detail);
    people_.push_back(std::move(person));
  }
  return {};
}

void Crowd::start_talking(double rate, std::uint64_t seed) {
  talking_ = true;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads_.emplace_back(
        [this, i, rate, seed] { talk(i, rate / static_cast<double>(kThreads), seed + i); });
  }
}

void Crowd::stop_talking() {
  talking_ = false;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Crowd::talk(std::size_t first, double rate, std::uint64_t seed) {
  SeededRandom random(seed);
  const auto gap =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  Time next = Clock::now();
  for (std::size_t index = first; talking_; index += kThreads) {
    write_one(index % people_.size(), random);
    next += gap;
    std::this_thread::sleep_until(next);  // the pace of the load itself
  }
}

void Crowd::write_one(std::size_t index, Random& random) {
  Person& person = *people_[index];
  const std::size_t peer = index ^ 1U;
  // One thread writes for a person (people ≡ thread modulo kThreads), so `written` needs no lock.
  const std::uint64_t number = ++person.written;
  Bytes body = make_body(index, number, random);
  const Time at = Clock::now();
  auto sent = person.client->send(people_[peer]->uid, body);
  if (!sent) {
    ++send_errors_;
    const std::lock_guard lock(mutex_);
    send_error_ = error_text(sent.error().code, sent.error().detail);
    return;
  }
  journal_.sent(sent->id(),
                {static_cast<int>(index), static_cast<int>(peer), number,
                 ConversationId::pair(person.uid, people_[peer]->uid), std::move(body), at});
}

Status Crowd::sync_all() {
  is_synced_ = false;
  for (const auto& person : people_) {
    if (auto done = person->client->sync(); !done)
      return fail(done.error().code, person->name + ": " + done.error().detail);
  }
  is_synced_ = true;
  return {};
}

int Crowd::online() const {
  int n = 0;
  for (const auto& person : people_) n += person->client->state() == LinkState::kOnline ? 1 : 0;
  return n;
}

std::string Crowd::send_error() const {
  const std::lock_guard lock(mutex_);
  return send_error_;
}

std::vector<std::string> Crowd::who_is_away() const {
  std::vector<std::string> out;
  for (const auto& person : people_) {
    const LinkState state = person->client->state();
    if (state == LinkState::kOnline || out.size() == 5) continue;
    const std::lock_guard lock(person->mutex);
    out.push_back(person->name + " " + std::string(link_state_name(state)) + ": " + person->why);
  }
  return out;
}

void Crowd::leave() {
  for (const auto& person : people_) {
    if (person->client == nullptr) continue;
    const bool is_drained = is_synced_ && person->client->state() == LinkState::kOnline;
    // What closing does to the connection is not part of the run.
    judge::History history = person->tape->finish(Clock::now(), is_drained);
    person->client.reset();
    journal_.keep(std::move(history));
  }
}

}  // namespace hy::chaos
