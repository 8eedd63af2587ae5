#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>

#include "hy/das/v1/logic_stream.pb.h"
#include "tests/sim/cluster/operator.h"
#include "tests/sim/cluster/stage.h"
#include "tests/sim/cluster/store_scenes.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kLosses = 5;

constexpr std::array<std::string_view, kStoreScenes> kNames = {"revoked", "unruly", "das-lost",
                                                               "step-back", "lost-push"};

std::vector<LogicDaemon*> logics(Stage& stage) {
  std::vector<LogicDaemon*> out;
  for (const auto& daemon : stage.cluster().daemons()) {
    auto* const logic = dynamic_cast<LogicDaemon*>(daemon.get());
    if (logic != nullptr && logic->node().is_running()) out.push_back(logic);
  }
  return out;
}

std::int64_t ns(MonoTime t) {
  return t.time_since_epoch().count();
}

/// The operator ends somebody's sign-ins while no logic reaches a router: the kick is lost, and the
/// devices go on. What the fence lets through is C-REVOKE's.
bool play_revoked(Stage& stage) {
  const auto people = stage.online();
  const auto all_logics = logics(stage);
  if (people.size() < 2 || all_logics.empty()) return false;
  DeviceHost& victim = *people.front();
  const Uid uid = victim.spec().uid;
  std::vector<DeviceHost*> devices;
  for (DeviceHost* const host : people) {
    if (host->spec().uid == uid) devices.push_back(host);
  }
  for (LogicDaemon* const logic : all_logics) {
    for (RouterDaemon* const router : stage.routers()) stage.block(logic->node(), router->node());
  }
  const LogicDaemon& asked = *all_logics[stage.below(all_logics.size())];
  judge::Revocation revocation{.uid = uid, .asked_at = ns(stage.world().now())};
  const auto call = std::make_shared<OperatorCall>(
      stage.world(), stage.cluster().site().address(config::Role::kLogic, asked.index()), uid,
      Slot::kNone);
  stage.world().at(MonoTime::max(), nullptr, [call] {});
  if (stage.run_until([&] { return call->answer().has_value(); }, seconds(8)) &&
      call->answer() == Errc::kOk) {
    revocation.told_at = revocation.reachable_from = ns(stage.world().now());
    stage.cluster().revoked(revocation);
    stage.run(seconds(5) + stage.ms(50, 500));
    for (DeviceHost* const host : devices) stage.says(*host, stage.somebody_else(uid));
    stage.run(seconds(3));
  }
  for (LogicDaemon* const logic : all_logics) {
    for (RouterDaemon* const router : stage.routers()) stage.unblock(logic->node(), router->node());
  }
  // Nobody is locked out: the password signs in anew, and what waits goes with that.
  for (DeviceHost* const host : devices) {
    if (host->link() == LinkState::kStopped) stage.does(*host, [](DeviceHost& h) { h.log_in(); });
  }
  stage.all_sent(seconds(20));
  return true;
}

/// Somebody's app sends the id of an earlier message with another text. The first text stays, and
/// the second one is refused (guarantees.md G3).
bool play_unruly(Stage& stage) {
  const auto people = stage.online();
  if (people.size() < 2) return false;
  DeviceHost& host = *people.front();
  const Uid to = stage.somebody_else(host.spec().uid);
  const std::uint64_t stored = host.recorder().stored();
  stage.says(host, to);
  stage.all_sent(seconds(5));
  const auto id = host.last_sent();
  // A message that was refused (somebody blocks somebody) leaves its id free.
  if (!id || host.recorder().stored() == stored) return true;
  Cluster& cluster = stage.cluster();
  const std::string other = stage.text();
  for (int i = 0; i < 2; ++i) {
    stage.does(host, [&cluster, id = *id, to, other](DeviceHost& h) {
      (void)h.send_under(id, to, other, [&cluster, &h, id] {
        cluster.violation(
            fmt::format("G3: {} was told STORED of the text that it sent under the "
                        "id {} of another",
                        h.node().name(), id.to_hex()));
      });
    });
    stage.run(seconds(1));
  }
  stage.run_until([&] { return host.open_requests() == 0; }, seconds(10));
  return true;
}

/// What the logics send to the das: calls, and which of them a second time.
class DasTap {
 public:
  explicit DasTap(Network& network) : network_(network) {
    network_.on_batch = [this](const Node& from, const Node&, const auto& message) {
      const auto* const batch = dynamic_cast<const hy::das::v1::DataBatch*>(&message);
      if (batch == nullptr) return;
      Line& line = lines_[{from.id(), from.life()}];
      for (const auto& append : batch->appends()) line.count(append.id());
      for (const auto& call : batch->calls()) line.count(call.id());
    };
  }
  ~DasTap() { network_.on_batch = nullptr; }
  DasTap(const DasTap&) = delete;
  DasTap& operator=(const DasTap&) = delete;

  struct Line {
    std::set<std::uint64_t> known;
    std::uint64_t again = 0;
    void count(std::uint64_t id) {
      if (!known.insert(id).second) ++again;
    }
  };
  [[nodiscard]] const std::map<std::pair<NodeId, std::uint32_t>, Line>& lines() const {
    return lines_;
  }

 private:
  Network& network_;
  std::map<std::pair<NodeId, std::uint32_t>, Line> lines_;
};

/// Again and again a das stands still while everybody writes, and dies. Of what was on its way a
/// tenth of all, and what `logic.das_retries` allows beside, goes to the others: repeats do not
/// bury them (architecture.md, "retry budget").
bool play_das_lost(Stage& stage) {
  std::vector<Daemon*> das;
  for (const auto& daemon : stage.cluster().daemons()) {
    if (daemon->role() == config::Role::kDas && daemon->node().is_running())
      das.push_back(daemon.get());
  }
  const auto people = stage.online();
  if (das.size() < 2 || people.size() < 2) return false;
  const std::string& allowed = stage.cluster().plan().settings.at("logic.das_retries");
  const std::uint64_t credit = allowed == "10" ? 10 : 1'000;
  const DasTap tap(stage.network());
  for (int round = 0; round < kLosses; ++round) {
    Node& lost = das[stage.below(das.size())]->node();
    stage.world().pause(lost);
    for (DeviceHost* const host : people) {
      for (int i = 0; i < 6; ++i) stage.says(*host, stage.somebody_else(host->spec().uid));
    }
    stage.run(stage.ms(200, 500));
    stage.world().kill(lost);
    stage.all_sent(seconds(10));
    stage.run_until([&] { return lost.is_running(); }, seconds(10));
    stage.run(milliseconds(500));
  }
  for (const auto& [whose, line] : tap.lines()) {
    if (line.again <= credit + line.known.size() / 10) continue;
    stage.cluster().violation(
        fmt::format("{} sent {} of {} calls to das a second time, and may {} and every tenth",
                    stage.world().node(whose.first).name(), line.again, line.known.size(), credit));
  }
  return true;
}

/// Two people who are online, the second at one device alone; nullptr: there are none.
std::pair<DeviceHost*, DeviceHost*> writer_and_reader(Stage& stage) {
  const auto people = stage.online();
  for (DeviceHost* const reader : people) {
    const auto is_other = [&](DeviceHost* one) { return one->spec().uid != reader->spec().uid; };
    const auto writer = std::ranges::find_if(people, is_other);
    if (writer != people.end()) return {*writer, reader};
  }
  return {nullptr, nullptr};
}

/// What was stored while somebody was away is there after the login, although the store's clock
/// stepped back meanwhile: SYNC's overlap is for that (guarantees.md §6).
bool play_step_back(Stage& stage) {
  const auto [writer, reader] = writer_and_reader(stage);
  if (reader == nullptr) return false;
  stage.says(*writer, reader->spec().uid);
  stage.all_sent(seconds(5));
  stage.run(seconds(22));
  stage.does(*reader, [](DeviceHost& host) { host.sync(); });
  stage.run(seconds(2));
  const MonoTime from = stage.world().now();
  stage.does(*reader, [](DeviceHost& host) { host.go_offline(); });
  stage.run(milliseconds(500));
  ModelStore& store = stage.cluster().site().store;
  const std::int64_t skew = store.now_ms() - stage.cluster().site().store_clock.wall_ms();
  store.set_clock_skew(skew - 20'000);
  stage.says(*writer, reader->spec().uid);
  stage.all_sent(seconds(5));
  stage.does(*reader, [](DeviceHost& host) { host.log_in(); });
  stage.run(seconds(6));
  stage.cluster().calm(from);
  return true;
}

bool has_shown(DeviceHost& host, const ClientMsgId& id) {
  return std::ranges::any_of(host.recorder().history().events(), [&](const judge::Event& e) {
    return e.ev == judge::Ev::kShow && e.cmid == id;
  });
}

/// A message is stored while no logic reaches a router, and then the routers die: its push is lost,
/// and a heartbeat tells of it by the change counter (guarantees.md §6), although the cache that
/// has the counters was lost before and after.
bool play_lost_push(Stage& stage) {
  const auto [writer, reader] = writer_and_reader(stage);
  const auto heartbeat = seconds(stage.setting("logic.heartbeat"));
  if (reader == nullptr || heartbeat > seconds(15)) return false;
  ModelRedis& redis = stage.cluster().site().redis;
  redis.flush();
  stage.run(heartbeat + seconds(2));  // the reader's heartbeat was answered with a counter
  const auto connection = stage.connection_of(*reader);
  const auto all_logics = logics(stage);
  const auto all_routers = stage.routers();
  for (LogicDaemon* const logic : all_logics) {
    for (RouterDaemon* const router : all_routers) stage.block(logic->node(), router->node());
  }
  const std::uint64_t stored = writer->recorder().stored();
  stage.says(*writer, reader->spec().uid);
  const bool is_stored =
      stage.run_until([&] { return writer->recorder().stored() > stored; }, seconds(4));
  redis.flush();
  stage.run(
      seconds(3));  // past the push's deadline; what is still on its way dies with the routers
  for (RouterDaemon* const router : all_routers) {
    stage.world().kill(router->node());
    for (LogicDaemon* const logic : all_logics) stage.unblock(logic->node(), router->node());
  }
  const auto id = writer->last_sent();
  const auto are_back = [&all_routers] {
    return std::ranges::all_of(all_routers, [](RouterDaemon* r) { return r->node().is_running(); });
  };
  stage.run_until(are_back, seconds(10));
  if (!is_stored || !id) return true;  // refused: somebody blocks somebody
  stage.run(heartbeat + seconds(6));
  const bool stayed = connection != nullptr && stage.connection_of(*reader) == connection;
  if (!stayed || has_shown(*reader, *id)) return true;
  stage.cluster().violation(
      fmt::format("C-SYNC {} was not told by a heartbeat of a message whose push was lost",
                  judge::device_text(reader->recorder().history().device())));
  return true;
}

bool play_one(Stage& stage, StoreScene scene) {
  switch (scene) {
    case StoreScene::kRevoked: return play_revoked(stage);
    case StoreScene::kUnruly: return play_unruly(stage);
    case StoreScene::kDasLost: return play_das_lost(stage);
    case StoreScene::kStepBack: return play_step_back(stage);
    case StoreScene::kLostPush: return play_lost_push(stage);
  }
  return false;
}

}  // namespace

std::string_view store_scene_name(StoreScene scene) {
  return kNames.at(static_cast<std::size_t>(scene));
}

std::optional<StoreScene> store_scene_of(std::string_view name) {
  const auto at = std::ranges::find(kNames, name);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<StoreScene>(at - kNames.begin());
}

void play(Cluster& cluster, StoreScene scene) {
  for (std::size_t i = 0; i < kStoreScenes; ++i) {
    const auto next = static_cast<StoreScene>((static_cast<std::size_t>(scene) + i) % kStoreScenes);
    cluster.say(fmt::format("scene {}", store_scene_name(next)));
    Stage stage(cluster);
    if (play_one(stage, next)) return;
  }
}

}  // namespace hy::sim
