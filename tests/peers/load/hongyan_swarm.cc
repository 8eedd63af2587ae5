#include "tests/peers/load/hongyan_swarm.h"

#include <arpa/inet.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "client/load/light_pairs.h"
#include "tests/peers/load/meter.h"

namespace hy::peers {

struct HongyanSwarm::Impl {
  Impl(Meter& m, const std::filesystem::path& access, std::size_t first) : meter(m) {
    std::ifstream in(access);
    const nlohmann::json file = nlohmann::json::parse(in);
    entry = load::socket_address(file.at("address"));
    crypto::Bytes32 server_key{};
    const auto key = from_hex(file.at("server_key").get<std::string>());
    std::ranges::copy(*key, reinterpret_cast<char*>(server_key.data()));
    std::vector<std::pair<Uid, Bytes>> people;
    const auto& users = file.at("users");
    for (std::size_t i = 0; i < meter.settings().connections; ++i) {
      const auto& user = users.at(first + i);
      people.emplace_back(Uid{user.at(0).get<std::uint64_t>()},
                          *from_hex(user.at(1).get<std::string>()));
    }
    load::LightPairs::Hooks hooks;
    hooks.on_ready = [this](std::size_t i) { meter.ready(i); };
    hooks.on_failed = [this](std::size_t i) {
      meter.failed(i, "refused at login, or the connection was lost");
    };
    hooks.on_refused = [this](std::size_t i) { meter.refused(i); };
    hooks.on_stored = [this](std::size_t i, MonoTime sent) {
      meter.done(i, static_cast<std::uint64_t>((clock.now() - sent).count()));
    };
    pairs.emplace(server_key, std::move(people), std::move(hooks));
  }

  /// Between windows everybody is heard of once in 20 s: the entry closes silent connections.
  void ping_idle() {
    constexpr std::chrono::nanoseconds kRound = std::chrono::seconds(20);
    const MonoTime now = clock.now();
    if (meter.is_sending()) next_ping = now;
    for (; next_ping < now; next_ping += kRound / pairs->size(), ++pinged) {
      if (const std::size_t i = pinged % pairs->size(); pairs->is_open(i)) pairs->ping(i);
    }
  }

  Meter& meter;
  SystemClock clock;
  sockaddr_in entry{};
  std::optional<load::LightPairs> pairs;
  MonoTime next_ping = clock.now();
  std::size_t pinged = 0;
};

HongyanSwarm::HongyanSwarm(Meter& meter, const std::filesystem::path& access,
                           std::size_t first_client, std::string from)
    : impl_(std::make_unique<Impl>(meter, access, first_client)), from_(std::move(from)) {}
HongyanSwarm::~HongyanSwarm() = default;

void HongyanSwarm::begin_login(std::size_t client) {
  in_addr from{};
  ::inet_pton(AF_INET, from_.c_str(), &from);
  impl_->pairs->connect(client, impl_->entry, from);
}

void HongyanSwarm::send(std::size_t client, std::string_view body) {
  impl_->pairs->send(client, body);
}

void HongyanSwarm::turn(std::chrono::milliseconds at_most) {
  impl_->pairs->turn(impl_->clock.now() + at_most);
  impl_->ping_idle();
}

bool HongyanSwarm::is_settled() const {
  const load::LightPairs::Totals& t = impl_->pairs->totals();
  return t.pushed >= t.stored && t.receipted >= t.stored;
}

std::vector<std::pair<const char*, std::uint64_t>> HongyanSwarm::checks() const {
  const load::LightPairs::Totals& t = impl_->pairs->totals();
  return {{"stored", t.stored},       {"pushed", t.pushed},
          {"receipted", t.receipted}, {"doubled", t.twice},
          {"disordered", t.disorder}, {"refused_with_time", t.refused_with_time},
          {"relayed", t.relayed},     {"last_refusal", static_cast<std::uint64_t>(t.last_refusal)}};
}

}  // namespace hy::peers
