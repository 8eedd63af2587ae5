#include "tests/cluster/chaos/fleet.h"

#include "common/base/random.h"

namespace hy::chaos {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kThreads = 3;  // send() returns after a commit of the outbox: one would wait
constexpr auto kLoginWithin = std::chrono::seconds(60);
constexpr auto kReadEvery = std::chrono::milliseconds(150);

/// Of everything that a person writes.
Bytes beginning_of(std::size_t person) {
  return "person " + std::to_string(person) + " number ";
}

Bytes make_body(std::size_t person, std::uint64_t number, Random& random) {
  Bytes body = beginning_of(person) + std::to_string(number) + " ";
  const std::size_t more = random.below(50) == 0 ? 4'096 : 20 + random.below(180);
  for (std::size_t i = 0; i < more; ++i) body += static_cast<char>('a' + random.below(26));
  return body;
}

/// The database and its write-ahead log: what the disk holds. The shared-memory index is memory.
void copy_store(const fs::path& from, const fs::path& to) {
  std::error_code ignored;
  for (const char* ending : {"", "-wal"}) {
    fs::remove(to.string() + ending, ignored);
    fs::copy_file(from.string() + ending, to.string() + ending, ignored);
  }
}

}  // namespace

thread_local DeviceTape* DeviceTape::of_thread_ = nullptr;

Fleet::~Fleet() {
  stop_talking();
  leave();
}

Status Fleet::sign_in(cli::Cluster& cluster, int pairs, int newcomer_pairs) {
  std::vector<std::string> names;
  for (int i = 0; i < 2 * (pairs + newcomer_pairs); ++i)
    names.push_back("person" + std::to_string(i));
  HY_TRY(const auto accounts, cluster.add_users(names));
  people_ = static_cast<std::size_t>(2 * pairs);
  for (std::size_t i = 0; i < people_; ++i) add_device(cluster, accounts[i], i, Slot::kDesktop);
  for (std::size_t i = 0; i < people_; i += 3) add_device(cluster, accounts[i], i, Slot::kPhone);
  residents_ = next_newcomer_ = devices_.size();
  for (std::size_t i = people_; i < accounts.size(); ++i)
    add_device(cluster, accounts[i], i, Slot::kDesktop);
  for (std::size_t i = 0; i < residents_; ++i) {
    make_client(*devices_[i]);
    HY_TRY_VOID(open(*devices_[i], kLoginWithin));
  }
  return {};
}

Fleet::Device& Fleet::add_device(cli::Cluster& cluster, const cli::Account& account,
                                 std::size_t person, Slot slot) {
  auto device = std::make_unique<Device>();
  device->person = person;
  device->uid = account.uid;
  device->name = account.name + (slot == Slot::kPhone ? ".phone" : "");
  device->who.name = account.name;
  device->who.uid = account.uid;
  device->who.password = account.password;
  device->tape = std::make_shared<DeviceTape>(judge::DeviceKey{account.uid, slot, 1}, deeds_);
  device->options = cluster.client_options(person, (folder_ / (device->name + ".db")).string());
  device->options.slot = slot;
  device->options.observer = device->tape;
  return *devices_.emplace_back(std::move(device));
}

void Fleet::make_client(Device& device, std::vector<std::string> entries) {
  ClientOptions options = device.options;
  if (!entries.empty()) options.entries = std::move(entries);
  device.has_come = true;
  device.client = std::make_unique<hy::Client>(std::move(options));
  Device* const d = &device;
  const bool is_first = d->options.slot == Slot::kDesktop;
  d->client->on_message([this, d, is_first](const Message& m) {
    if (d->is_muted) return;
    if (m.seq.value() > d->shown) d->shown = m.seq.value();
    if (is_first) journal_.shown(static_cast<int>(d->person), m);
  });
  d->client->on_step([this, d](const ClientMsgId& id, Step step, Errc code, Seq seq) {
    if (!d->is_muted) journal_.step(id, step, code, seq);
  });
  d->client->on_state([this, d](LinkState state, const std::string& why) {
    if (state == LinkState::kSyncing) ++deeds_;
    const std::lock_guard lock(d->mutex);
    d->why = why;
  });
}

Status Fleet::open(Device& device, std::chrono::milliseconds within) {
  if (auto in = device.client->login(device.who, within); !in)
    return fail(in.error().code, device.name + ": " + in.error().detail);
  return {};
}

// ---- what people do

void Fleet::start_talking(double rate, std::uint64_t seed) {
  talking_ = true;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads_.emplace_back(
        [this, i, rate, seed] { talk(i, rate / static_cast<double>(kThreads), seed + i); });
  }
  threads_.emplace_back([this, seed] { read_now_and_then(seed + kThreads); });
}

void Fleet::stop_talking() {
  talking_ = false;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Fleet::talk(std::size_t first, double rate, std::uint64_t seed) {
  SeededRandom random(seed);
  const auto gap =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate));
  Time next = Clock::now();
  // A person belongs to one thread.
  std::size_t person = first;
  while (talking_) {
    write_one(*devices_[person], *devices_[person ^ 1U], random);
    person += kThreads;
    if (person >= people_) person = first;
    next += gap;
    std::this_thread::sleep_until(next);  // the pace of the load itself
  }
}

void Fleet::write_one(Device& device, const Device& peer, Random& random) {
  const std::unique_lock lock(device.client_mutex, std::try_to_lock);
  // Nobody types on a device that is being started.
  if (!lock.owns_lock() || device.is_dying || device.client == nullptr) return;
  const std::uint64_t number = ++device.written;
  Bytes body = make_body(device.person, number, random);
  const Time at = Clock::now();
  auto sent = device.client->send(peer.uid, body);
  // A device that died inside of send() has never said that it kept the message.
  if (device.is_dying) return;
  if (!sent) {
    ++send_errors_;
    return;
  }
  journal_.sent(sent->id(), {static_cast<int>(device.person), static_cast<int>(peer.person), number,
                             ConversationId::pair(device.uid, peer.uid), std::move(body), at});
}

void Fleet::read_now_and_then(std::uint64_t seed) {
  SeededRandom random(seed);
  while (talking_) {
    std::this_thread::sleep_for(kReadEvery);
    Device& device = *devices_[random.below(people_)];
    const std::unique_lock lock(device.client_mutex, std::try_to_lock);
    const Seq seq{device.shown};
    const bool may = lock.owns_lock() && device.client != nullptr && !device.is_dying;
    if (!may || seq.value() == 0 || device.client->state() != LinkState::kOnline) continue;
    const ConversationId conv = ConversationId::pair(device.uid, devices_[device.person ^ 1U]->uid);
    device.tape->read_wanted(conv, seq);
    (void)device.client->mark_read(conv, seq);
  }
}

Status Fleet::sync_all() {
  is_synced_ = false;
  for (const auto& device : devices_) {
    if (device->client == nullptr) continue;
    if (auto done = device->client->sync(); !done)
      return fail(done.error().code, device->name + ": " + done.error().detail);
  }
  is_synced_ = true;
  return {};
}

std::size_t Fleet::devices() const {
  const auto has_come = [](const auto& device) { return device->has_come.load(); };
  return static_cast<std::size_t>(std::ranges::count_if(devices_, has_come));
}

bool Fleet::is_online(std::size_t index) const {
  const Device& device = *devices_[index % devices_.size()];
  const bool is_there = device.client != nullptr && !device.is_dying;
  return is_there && device.client->state() == LinkState::kOnline;
}

std::size_t Fleet::online() const {
  std::size_t n = 0;
  for (std::size_t i = 0; i < devices_.size(); ++i) n += is_online(i) ? 1 : 0;
  return n;
}

std::vector<std::string> Fleet::who_is_away() const {
  std::vector<std::string> out;
  for (const auto& device : devices_) {
    if (device->client == nullptr || out.size() == 5) continue;
    const LinkState state = device->client->state();
    if (state == LinkState::kOnline) continue;
    const std::lock_guard lock(device->mutex);
    out.push_back(device->name + " " + std::string(link_state_name(state)) + ": " + device->why);
  }
  return out;
}

std::vector<judge::Canary> Fleet::canaries() const {
  constexpr std::size_t kTokenFrom = 64;  // behind what all tokens share
  constexpr std::size_t kTokenBytes = 32;
  std::vector<judge::Canary> out;
  for (const auto& device : devices_) {
    if (device->client == nullptr) continue;
    out.push_back({"what " + device->name + " wrote", beginning_of(device->person)});
    out.push_back({"the password of " + device->name, device->who.password});
    const Bytes token = device->client->session_token();
    if (token.size() >= kTokenFrom + kTokenBytes)
      out.push_back({"the token of " + device->name, token.substr(kTokenFrom, kTokenBytes)});
  }
  return out;
}

void Fleet::leave() {
  for (const auto& device : devices_) {
    if (device->client == nullptr) continue;
    const bool is_drained = is_synced_ && device->client->state() == LinkState::kOnline;
    // What closing does to the connection is not part of the run.
    judge::History history = device->tape->finish(is_drained);
    device->client.reset();
    journal_.keep(std::move(history));
  }
}

// ---- what happens to devices

Status Fleet::restart(std::size_t index, std::vector<std::string> entries) {
  Device& device = *devices_[index % residents_];
  const std::unique_lock lock(device.client_mutex, std::try_to_lock);
  if (!lock.owns_lock() || device.is_dying) return fail(Errc::kUnavailable, device.name);
  device.client.reset();
  device.tape->start_again();
  make_client(device, std::move(entries));
  // It comes online when the cluster lets it: nobody waits here.
  (void)device.client->login(device.who, std::chrono::milliseconds(0));
  return {};
}

std::optional<std::size_t> Fleet::here() const {
  const DeviceTape* const tape = DeviceTape::of_this_thread();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    if (devices_[i]->tape.get() == tape && !devices_[i]->is_dying) return i;
  }
  return std::nullopt;
}

fs::path Fleet::snapshot_of(const Device& device) const {
  return folder_ / (device.name + ".dead");
}

void Fleet::die_here(std::size_t index, device_points::Turn turn) {
  using device_points::Turn;
  Device& device = *devices_[index];
  if (device.client == nullptr) return;  // it is being closed
  // No byte leaves any more, the disk is what it is now, and nothing later is told.
  device.client->unplug(true);
  copy_store(device.options.store, snapshot_of(device));
  device.tape->die(turn == Turn::kCommitted);
  device.is_muted = turn == Turn::kOpen || turn == Turn::kOver;
  device.is_dying = true;
}

std::size_t Fleet::revive() {
  std::size_t dead = 0;
  for (const auto& d : devices_) {
    Device& device = *d;
    if (!device.is_dying) continue;
    const std::unique_lock lock(device.client_mutex, std::try_to_lock);
    if (!lock.owns_lock()) {
      ++dead;
      continue;
    }
    device.client->drop_connection();  // RST, as from a host whose process is gone
    device.client.reset();
    std::error_code ignored;
    fs::remove(device.options.store + "-shm", ignored);
    copy_store(snapshot_of(device), device.options.store);
    device.tape->start_again();
    device.is_dying = false;
    device.is_muted = false;
    make_client(device);
    (void)device.client->login(device.who, std::chrono::milliseconds(0));
  }
  return dead;
}

}  // namespace hy::chaos
