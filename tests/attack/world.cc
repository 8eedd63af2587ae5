#include "tests/attack/world.h"

#include <poll.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "client/cli/operator_client.h"
#include "client/cli/private_folder.h"
#include "common/http/http_get.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::attack {
namespace {

namespace pb = hy::client::v1;
using Clock = std::chrono::steady_clock;

constexpr int kPeople = 120;

std::string text_of(const Error& error) {
  return error_text(error.code, error.detail);
}

}  // namespace

bool is_full_form() {
  const char* full = std::getenv("HY_ATTACK_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

World::World(cli::StoreKind store) {
  std::string pattern = "/tmp/hyattack-XXXXXX";
  folder_ = ::mkdtemp(pattern.data());
  if (auto janitor = cli::Janitor::start({folder_}, {})) janitor_ = *std::move(janitor);
  cli::ClusterOptions options;
  options.folder = folder_;
  options.cluster = "attack";
  options.store = store;
  options.size = {.entries = 1, .logics = 1, .routers = 1, .das = 1};
  options.programs = std::filesystem::path(HY_BUILD_DIR) / "bin";
  options.more_settings = {"entry.connect_rate=20/s burst 50", "entry.unauthenticated_per_ip=32",
                           "entry.frame_rate=30/s burst 60", "entry.in_flight=64"};
  auto cluster = cli::Cluster::start(options);
  if (!cluster) {
    error_ = text_of(cluster.error());
    return;
  }
  cluster_ = *std::move(cluster);
  error_ = make_people();
}

std::string World::make_people() {
  auto door = cli::OperatorClient::open(cli::operator_access(cluster_->layout()), Millis(5'000));
  if (!door) return text_of(door.error());
  std::vector<cli::Account> accounts(kPeople);
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    accounts[i].name = "person" + std::to_string(i);
  }
  if (auto made = (*door)->add_users(accounts, Millis(30'000)); !made) return text_of(made.error());
  std::vector<Uid> uids;
  for (const auto& account : accounts) uids.push_back(account.uid);
  auto tokens =
      (*door)->make_tokens(uids, Slot::kDesktop, "raw-%u", std::chrono::hours(1), Millis(30'000));
  if (!tokens) return text_of(tokens.error());
  for (std::size_t i = 0; i < accounts.size(); ++i) {
    people_.push_back({accounts[i].uid, accounts[i].name,
                       "raw-" + std::to_string(accounts[i].uid.value()), (*tokens)[i]});
  }
  return {};
}

Somebody World::somebody() {
  HY_CHECK(used_ < people_.size());
  return people_[used_++];
}

raw::Client::Options World::options(const std::string& from) const {
  raw::Client::Options out;
  out.address = cluster_->layout().entry_addresses().front();
  out.from = from;
  const Bytes key = *from_hex(cluster_->layout().server_key_hex);
  std::copy(key.begin(), key.end(), reinterpret_cast<char*>(out.server_key.data()));
  return out;
}

Bytes World::login_body(const Somebody& who, std::uint32_t counter) {
  pb::LoginRequest out;
  out.set_token(who.token);
  out.set_uid(who.uid.value());
  out.set_slot(static_cast<std::uint32_t>(Slot::kDesktop));
  out.set_device_id(who.device);
  out.set_conn_counter(counter);
  out.set_client_version("attack");
  return out.SerializeAsString();
}

Bytes World::send_body(Uid to, std::string_view text) {
  static crypto::SystemRandom random;
  std::array<std::uint8_t, 16> id{};
  random.fill(id);
  pb::SendRequest out;
  out.set_client_msg_id(id.data(), id.size());
  out.set_to_uid(to.value());
  out.set_kind(1);
  out.set_body(std::string(text));
  out.set_try_number(1);
  return out.SerializeAsString();
}

std::unique_ptr<raw::Client> World::sign_in(const Somebody& who, const std::string& from) {
  auto out = std::make_unique<raw::Client>(options(from));
  // An entry under pressure may refuse a connection; a device tries again.
  for (int tries = 0; tries < 20; ++tries) {
    if (out->open() && out->call(pb::LOGIN, login_body(who, ++counter_)).ok() &&
        out->call(pb::SYNC, pb::SyncRequest().SerializeAsString()).ok()) {
      return out;
    }
    (void)::poll(nullptr, 0, 200);
  }
  return nullptr;
}

Pair World::pair() {
  Pair out;
  out.anna = somebody();
  out.ben = somebody();
  out.a = sign_in(out.anna);
  out.b = sign_in(out.ben);
  return out;
}

Talk World::talk(Pair& pair, Millis span) {
  Talk out;
  raw::Client* const a = pair.a.get();
  raw::Client* const b = pair.b.get();
  if (a == nullptr || b == nullptr) return out;
  std::vector<Millis> took;
  const auto end = Clock::now() + span;
  auto next = Clock::now();
  while (Clock::now() < end) {
    const auto start = Clock::now();
    const std::uint32_t id = a->fresh_id();
    ++out.sent;
    const std::string text = "message " + std::to_string(++pair.sent);
    if (!a->write(a->seal(pb::SEND, id, send_body(pair.ben.uid, text)))) break;
    const raw::Answer stored = a->await(id);
    pb::SendAnswer answer;
    if (stored.ok() && answer.ParseFromString(stored.body) && answer.ack() == pb::STORED) {
      ++out.stored;
    }
    const raw::Answer push = b->notice(pb::PUSH);
    pb::Push message;
    if (!push.ok() || !message.ParseFromString(push.body)) break;
    if (message.body() == text && message.seq() == pair.sent) ++out.arrived;
    took.push_back(std::chrono::ceil<Millis>(Clock::now() - start));
    if (!b->write(b->seal(pb::PUSH_ACK, push.request_id, {}))) break;
    (void)b->await(push.request_id);
    // Ten a second, within the rates of one connection; what arrives meanwhile are receipts.
    next += Millis{100};
    for (auto now = Clock::now(); now < next; now = Clock::now()) {
      (void)a->next(std::chrono::ceil<Millis>(next - now));
    }
  }
  std::ranges::sort(took);
  if (!took.empty()) out.p99 = took[took.size() * 99 / 100];
  return out;
}

double World::entry_metric(const std::string& name, const std::string& labels) {
  const auto got = http::get(cluster_->layout().find("entry-a")->admin, "/metrics", Millis(5'000));
  if (!got) return -1;
  double sum = -1;
  std::stringstream in(got->body);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const std::size_t space = line.rfind(' ');
    const std::string head = line.substr(0, space);
    if (head != name && !head.starts_with(name + "{")) continue;
    if (head.find(labels) == std::string::npos) continue;
    sum = std::max(sum, 0.0) + std::stod(line.substr(space + 1));
  }
  return sum;
}

std::size_t World::resident(const std::string& daemon) {
  for (const cli::ServiceState& state : cluster_->supervisor().list()) {
    if (state.name == daemon) return cli::resident_bytes(state.pid);
  }
  return 0;
}

std::vector<pid_t> World::pids() {
  std::vector<pid_t> out;
  for (const cli::ServiceState& state : cluster_->supervisor().list()) {
    if (state.pid > 0) out.push_back(state.pid);
  }
  return out;
}

}  // namespace hy::attack
