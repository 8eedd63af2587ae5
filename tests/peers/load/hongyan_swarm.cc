#include "tests/peers/load/hongyan_swarm.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/load/load_connection.h"
#include "common/crypto/system_random.h"
#include "tests/peers/load/meter.h"

namespace hy::peers {

struct HongyanSwarm::Impl {
  Impl(Meter& m, const std::filesystem::path& access, std::size_t first) : meter(m) {
    std::ifstream in(access);
    const nlohmann::json file = nlohmann::json::parse(in);
    const std::string address = file.at("address");
    const std::size_t colon = address.rfind(':');
    entry = {asio::ip::make_address(address.substr(0, colon)),
             static_cast<unsigned short>(std::stoi(address.substr(colon + 1)))};
    const auto key = from_hex(file.at("server_key").get<std::string>());
    std::ranges::copy(*key, reinterpret_cast<char*>(shared.server_key.data()));
    shared.device_prefix = "load-";
    hooks.on_ready = [this](load::LoadConnection& c) { meter.ready(c.peer_index ^ 1U); };
    hooks.on_stored = [this](load::LoadConnection& c, MonoTime sent) {
      const auto took = clock.now() - sent;
      meter.done(c.peer_index ^ 1U, static_cast<std::uint64_t>(took.count()));
    };
    const auto& users = file.at("users");
    for (std::size_t i = 0; i < meter.settings().connections; ++i) {
      const auto& user = users.at(first + i);
      uids.emplace_back(user.at(0).get<std::uint64_t>());
      connections.push_back(std::make_unique<load::LoadConnection>(
          shared, totals, hooks, uids.back(), *from_hex(user.at(1).get<std::string>())));
      connections.back()->peer_index = i ^ 1U;
    }
  }

  /// The connections count refusals and failures together; who it was shows in their windows.
  void find_refused() {
    if (totals.refused == known_refused) return;
    known_refused = totals.refused;
    for (std::size_t i = 0; i < connections.size(); ++i) {
      for (std::size_t n = connections[i]->outstanding(); n < meter.outstanding(i);)
        meter.refused(i);
    }
  }
  void find_failed() {
    const std::uint64_t failed = totals.login_failed + totals.lost_connections;
    for (; known_failed < failed; ++known_failed) {
      meter.failed(0, "refused at login, or the connection was lost");
    }
  }

  /// Between windows everybody is heard of once in 20 s: the entry closes silent connections.
  void ping_idle() {
    constexpr std::chrono::nanoseconds kRound = std::chrono::seconds(20);
    const MonoTime now = clock.now();
    if (meter.is_sending()) next_ping = now;
    for (; next_ping < now; next_ping += kRound / connections.size(), ++pinged) {
      load::LoadConnection& c = *connections[pinged % connections.size()];
      if (c.is_open()) c.ping();
    }
  }

  Meter& meter;
  SystemClock clock;
  crypto::SystemRandom random;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  net::Tcp::endpoint entry;
  load::Shared shared{
      .context = context, .random = random, .server_key = {}, .device_prefix = {}, .scratch = {}};
  load::Totals totals;
  load::LoadConnection::Hooks hooks;
  std::vector<Uid> uids;
  std::vector<std::unique_ptr<load::LoadConnection>> connections;
  std::uint64_t known_refused = 0;
  std::uint64_t known_failed = 0;
  MonoTime next_ping = clock.now();
  std::size_t pinged = 0;
};

HongyanSwarm::HongyanSwarm(Meter& meter, const std::filesystem::path& access,
                           std::size_t first_client, std::string from)
    : impl_(std::make_unique<Impl>(meter, access, first_client)), from_(std::move(from)) {}
HongyanSwarm::~HongyanSwarm() = default;

void HongyanSwarm::begin_login(std::size_t client) {
  impl_->connections[client]->connect(impl_->entry, asio::ip::make_address(from_));
}

void HongyanSwarm::send(std::size_t client, std::string_view body) {
  impl_->connections[client]->send(impl_->uids[client ^ 1U], body);
}

void HongyanSwarm::turn(std::chrono::milliseconds at_most) {
  impl_->context.run_one_for(at_most);
  impl_->context.poll();
  impl_->find_refused();
  impl_->find_failed();
  impl_->ping_idle();
}

bool HongyanSwarm::is_settled() const {
  const load::Totals& t = impl_->totals;
  return t.pushed >= t.stored && t.receipted >= t.stored;
}

std::vector<std::pair<const char*, std::uint64_t>> HongyanSwarm::checks() const {
  const load::Totals& t = impl_->totals;
  return {{"stored", t.stored},       {"pushed", t.pushed},
          {"receipted", t.receipted}, {"doubled", t.twice},
          {"disordered", t.disorder}, {"refused_with_time", t.refused_with_time},
          {"relayed", t.relayed},     {"last_refusal", static_cast<std::uint64_t>(t.last_refusal)}};
}

}  // namespace hy::peers
