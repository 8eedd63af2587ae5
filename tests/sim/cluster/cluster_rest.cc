#include <algorithm>
#include <map>

#include "tests/sim/cluster/cluster.h"

// How long what is left to do takes at least, by the rates and the links of the plan.
namespace hy::sim {
namespace {

constexpr std::size_t kSendsPerSecond = 5;      // logic.send_rate, as it is unless configured
constexpr std::size_t kGroupRatePerPerson = 2;  // logic.send_per_group to logic.send_rate

}  // namespace

/// How long the person with the most unsent messages needs at least: the rate is one person's.
Nanos Cluster::longest_backlog() const {
  std::map<Uid, std::size_t> open;
  std::map<ConversationId, std::size_t> in_group;
  std::size_t most = 0;
  for (const auto& device : devices_) {
    if (!device->wants_online()) continue;
    most = std::max(most, open[device->spec().uid] += device->open_sends());
    if (device->device() == nullptr) continue;
    for (const client::OutboxRecord& record : device->device()->outbox().items())
      if (record.conversation.is_group()) ++in_group[record.conversation];
  }
  // The rate of a group is what all its members share.
  for (const auto& [group, count] : in_group) most = std::max(most, count / kGroupRatePerPerson);
  return std::chrono::seconds(most / kSendsPerSecond);
}

/// How long a device needs at least to fetch all that its person may see, by what its link takes:
/// its bandwidth, and a window for each round trip.
Nanos Cluster::longest_download() const {
  constexpr std::size_t kRowBytes = 128;  // what a frame and a row cost beside the body
  std::map<Uid, std::size_t> bytes;
  const Tables& tables = site_.store.tables();
  for (const auto& [member, row] : tables.user_convs) {
    const auto log = tables.logs.find(member.second);
    if (log == tables.logs.end()) continue;
    for (const LogRow& message : log->second.rows)
      bytes[member.first] += message.body.size() + kRowBytes;
  }
  std::size_t most = 0;
  for (const auto& [uid, all] : bytes) most = std::max(most, all);
  const auto& link = plan_.outer;
  const std::chrono::duration<double> round_trip = 2 * (link.latency + link.jitter);
  double rate = static_cast<double>(link.window) / round_trip.count();
  if (link.bytes_per_second > 0) rate = std::min(rate, static_cast<double>(link.bytes_per_second));
  return std::chrono::duration_cast<Nanos>(
      std::chrono::duration<double>(static_cast<double>(most) / rate));
}

}  // namespace hy::sim
