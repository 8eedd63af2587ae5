#include "tests/sim/cluster/groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/crypto/hash.h"
#include "das/storage/group_rules.h"
#include "tests/sim/cluster/stage.h"
#include "tests/support/stints.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kAskAgain = seconds(10);
constexpr Nanos kWatch = milliseconds(2'200);
/// After that a router that has just started tells what it knows, and what it does not.
constexpr Nanos kSettle = seconds(8);

bool is_in(const Tables& tables, Gid gid, Uid uid) {
  const auto at = tables.group_members.find({gid, uid});
  return at != tables.group_members.end() && at->second.leave_seq == 0;
}

bool is_owner(const Tables& tables, Gid gid, Uid uid) {
  return is_in(tables, gid, uid) && tables.group_members.at({gid, uid}).owner;
}

}  // namespace

GroupLife::GroupLife(Cluster& cluster, DeviceHost& device, std::uint64_t number)
    : cluster_(cluster),
      device_(device),
      random_(mix64(cluster.plan().seed ^ mix64(0x6'2096 + number))),
      uid_(device.spec().uid) {
  const DeviceSpec& spec = device.spec();
  const bool is_first = spec.slot == Slot::kDesktop && spec.installation == 1;
  for (std::uint32_t i = 0; i < cluster.plan().groups; ++i)
    makes_one_ = makes_one_ || (is_first && Site::uid_of(i) == uid_);
  if (!makes_one_) return;
  put_be(creation_.bytes.data(), random_.next());
  put_be(creation_.bytes.data() + 8, random_.next());
  members_ = some_people();
}

std::vector<Uid> GroupLife::some_people() {
  const Plan& plan = cluster_.plan();
  std::vector<Uid> out;
  for (std::uint32_t i = 0; i < plan.users; ++i)
    if (Site::uid_of(i) != uid_ && random_.below(3) != 0) out.push_back(Site::uid_of(i));
  const auto limit = plan.settings.find("logic.group_members_max");
  if (limit != plan.settings.end())
    out.resize(std::min<std::size_t>(out.size(), std::stoul(limit->second) - 1));
  if (uid_ != Site::uid_of(0)) return out;
  for (std::uint32_t i = 0; i < plan.silent; ++i) out.push_back(Site::uid_of(plan.users + i));
  return out;
}

std::vector<Gid> GroupLife::mine(bool with_left) const {
  const Tables& tables = cluster_.site().store.tables();
  std::vector<Gid> out;
  for (const auto& [gid, group] : tables.groups) {
    const auto at = tables.group_members.find({gid, uid_});
    if (at == tables.group_members.end()) continue;
    if (with_left || at->second.leave_seq == 0) out.push_back(gid);
  }
  return out;
}

std::optional<Gid> GroupLife::somewhere() {
  if (random_.below(100) >= cluster_.plan().group_percent) return std::nullopt;
  const Tables& tables = cluster_.site().store.tables();
  // Now and then a group of others, or one that the person has left and does not know it yet.
  if (random_.below(40) == 0 && !tables.groups.empty())
    return Gid{1 + random_.below(tables.groups.size())};
  const auto all = mine(random_.below(5) == 0);
  if (all.empty()) return std::nullopt;
  return all[random_.below(all.size())];
}

bool GroupLife::act() {
  if (cluster_.plan().groups == 0 || device_.link() != LinkState::kOnline) return false;
  if (makes_one_ && (!gid_ || random_.below(60) == 0) && make()) return true;
  return random_.below(1'000) < cluster_.plan().group_changes_per_mille && change();
}

/// The same question until it is answered, and now and then once more.
bool GroupLife::make() {
  if (cluster_.world().now() < ask_again_ || random_.below(3) != 0) return false;
  ask_again_ = cluster_.world().now() + kAskAgain;
  device_.create_group(fmt::format("group of {}", uid_.value()), members_, creation_,
                       [this](const Result<Group>& answer) { made(answer); });
  return true;
}

void GroupLife::made(const Result<Group>& answer) {
  if (!answer) return;
  ask_again_ = {};
  if (gid_ && *gid_ != answer->gid) {
    cluster_.violation(fmt::format("C-GROUP {} asked for one group and has {} and {}",
                                   device_.node().name(), gid_->value(), answer->gid.value()));
  }
  gid_ = answer->gid;
}

bool GroupLife::change() {
  const auto all = mine(false);
  if (all.empty()) return false;
  const Gid gid = all[random_.below(all.size())];
  const Tables& tables = cluster_.site().store.tables();
  if (!is_owner(tables, gid, uid_)) return leave_or_meddle(gid);
  std::vector<Uid> in;
  std::vector<Uid> out;
  for (std::uint32_t i = 0; i < cluster_.plan().users; ++i) {
    const Uid uid = Site::uid_of(i);
    if (uid != uid_) (is_in(tables, gid, uid) ? in : out).push_back(uid);
  }
  std::vector<Uid> add;
  std::vector<Uid> remove;
  const std::uint64_t kind = random_.below(10);
  if (kind < 6 && !out.empty()) add.push_back(out[random_.below(out.size())]);
  if (kind >= 4 && kind < 9 && in.size() > 1) remove.push_back(in[random_.below(in.size())]);
  if (kind == 9 && in.size() > 1) remove.push_back(uid_);
  if (add.empty() && remove.empty()) return false;
  device_.change_group(gid, add, remove);
  return true;
}

/// Whoever does not own the group may go, and nothing else.
bool GroupLife::leave_or_meddle(Gid gid) {
  const std::uint64_t kind = random_.below(4);
  if (kind == 0) device_.change_group(gid, {}, {uid_});
  if (kind == 1)
    device_.change_group(
        gid, {Site::uid_of(static_cast<std::uint32_t>(random_.below(cluster_.plan().users)))}, {});
  return kind < 2;
}

void add_groups(judge::StoreDump& dump, const Tables& tables) {
  for (const auto& [gid, group] : tables.groups) {
    const ConversationId conv = ConversationId::group(gid);
    const auto log = tables.logs.find(conv);
    if (log == tables.logs.end()) continue;
    test::Stints stints(conv);
    for (const LogRow& row : log->second.rows)
      (void)stints.take(row.seq, row.sender, row.kind, row.body);
    stints.tell(dump.stints);
  }
  for (judge::MessageRow& row : dump.messages) {
    if (!row.by_server) continue;
    const LogRow* const stored = tables.logs.at(row.conv).at(row.seq);
    row.phash = judge::short_hash(crypto::payload_hash(stored->kind, as_bytes(stored->body)));
  }
}

void talk_in_groups(Cluster& cluster) {
  const Tables& tables = cluster.site().store.tables();
  if (tables.groups.empty()) return;
  cluster.say("everybody speaks in his groups");
  Stage stage(cluster);
  // A scene that ended early may have left a device in the dark, or routers that start.
  for (DeviceHost* const host : stage.online()) {
    if (stage.connection_of(*host) == nullptr)
      stage.does(*host, [](DeviceHost& h) { h.drop_connection(); });
  }
  stage.run(kSettle);
  const MonoTime from = stage.world().now();
  // One after the other, or the smallest queues are full and everybody asks at once, above the
  // rates of one person.
  for (DeviceHost* const host : stage.online(true)) {
    std::vector<Gid> in;
    for (const auto& [gid, group] : tables.groups)
      if (is_in(tables, gid, host->spec().uid)) in.push_back(gid);
    if (in.empty()) continue;
    const Gid to = in[stage.below(in.size())];
    stage.does(*host, [to, words = stage.text()](DeviceHost& h) { (void)h.send(to, words); });
    stage.run(stage.ms(20, 120));
  }
  stage.all_sent(seconds(8));
  stage.run(kWatch);
  cluster.calm(from);
}

namespace {

void compare(Cluster& cluster, DeviceHost& host, Gid gid, const Result<Group>& answer) {
  const Tables& tables = cluster.site().store.tables();
  const bool member = is_in(tables, gid, host.spec().uid);
  const auto wrong = [&](const std::string& what) {
    cluster.violation(
        fmt::format("C-GROUP {} about group {}: {}", host.node().name(), gid.value(), what));
  };
  if (!answer) {
    // Other refusals say that it may be asked again.
    if (member && answer.error().code == Errc::kNotMember)
      wrong("a member is told that he is none");
    return;
  }
  if (!member) return wrong("somebody who is no member is told who is in it");
  std::vector<GroupMember> right;
  for (auto at = tables.group_members.lower_bound({gid, Uid{}});
       at != tables.group_members.end() && at->first.first == gid; ++at) {
    if (at->second.leave_seq == 0)
      right.push_back({at->first.second, at->second.owner, Seq{at->second.join_seq}});
  }
  const std::uint64_t version = tables.conversations.at(ConversationId::group(gid)).member_version;
  if (answer->members != right)
    wrong(fmt::format("{} members are told, it has {}, or others", answer->members.size(),
                      right.size()));
  if (answer->member_version != version)
    wrong(fmt::format("version {} is told, it is {}", answer->member_version, version));
}

}  // namespace

void ask_for_members(Cluster& cluster) {
  for (const auto& device : cluster.devices()) {
    if (!device->wants_online() || device->link() != LinkState::kOnline) continue;
    DeviceHost* const host = device.get();
    for (const auto& [gid, group] : cluster.site().store.tables().groups) {
      cluster.world().after(
          milliseconds(cluster.world().below(500)), &host->node(), [&cluster, host, of = gid] {
            host->ask_group(of, [&cluster, host, of](const Result<Group>& answer) {
              compare(cluster, *host, of, answer);
            });
          });
    }
  }
}

}  // namespace hy::sim
