#include "tests/cluster/chaos/plan.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace hy::chaos {
namespace {

using judge::Hits;

constexpr int kDevices = 8;         // every round has as many
constexpr int kTriesPerFault = 40;  // to find one that nothing alive excludes

double between(Random& random, double low, double high) {
  constexpr std::uint64_t kSteps = 1'000'000;
  return low + (high - low) * static_cast<double>(random.below(kSteps)) / kSteps;
}

/// Short ones often, long ones seldom: even over the logarithm.
double length(Random& random, double low, double high) {
  if (high <= 0) return 0;
  double out = low;
  const double part = between(random, 0, 1);
  out = low + (high - low) * part * part;
  return out;
}

const std::string& pick(Random& random, const std::vector<std::string>& from) {
  return from[random.below(from.size())];
}

std::vector<std::string> targets_of(const Cast& cast, Strikes strikes) {
  std::vector<std::string> out;
  const auto links_to = [&](std::string_view part) {
    for (const std::string& link : cast.links()) {
      if (link.find(part) != std::string::npos) out.push_back(link);
    }
  };
  switch (strikes) {
    case Strikes::kDaemon:
    case Strikes::kIsland: return cast.daemons();
    case Strikes::kDas: return cast.of("das");
    case Strikes::kEntry: return cast.of("entry");
    case Strikes::kLink: return cast.links();
    case Strikes::kPeopleLink: links_to("people>"); return out;
    case Strikes::kStoreLink: links_to(">mariadb"); return out;
    case Strikes::kCacheLink: links_to(">redis"); return out;
    case Strikes::kRedis: return {"redis"};
    case Strikes::kMariadb: return {"mariadb"};
    case Strikes::kStoreDisk: return {"store-disk"};
    case Strikes::kLogDisk: return {"log-disk"};
    case Strikes::kClock: return {"clock"};
    case Strikes::kDevice:
      for (int i = 0; i < kDevices; ++i) out.push_back("device-" + std::to_string(i));
      return out;
  }
  return out;
}

bool fits(const FaultKind& kind, const Cast& cast) {
  const bool is_mysql = cast.store == cli::StoreKind::kMysql;
  return kind.engines == Engines::kBoth || (kind.engines == Engines::kMysql) == is_mysql;
}

}  // namespace

const std::vector<FaultKind>& fault_kinds() {
  using enum Strikes;
  static const std::vector<FaultKind> kKinds = {
      {"kill", "F01", kDaemon, Engines::kBoth, Hits::kSpeed, 0, 0},
      {"kill-away", "F01", kDaemon, Engines::kBoth, Hits::kSpeed, 1, 8},
      {"restart", "F16", kDaemon, Engines::kBoth, Hits::kSpeed, 0, 0},
      {"pause", "F02", kDaemon, Engines::kBoth, Hits::kReach, 0.1, 60},
      {"sync-point", "F01", kDaemon, Engines::kBoth, Hits::kReach, 4, 6},
      {"latency", "F07", kLink, Engines::kBoth, Hits::kSpeed, 1.5, 8},
      {"loss", "F05", kLink, Engines::kBoth, Hits::kSpeed, 2, 8},
      {"slow-link", "F06", kLink, Engines::kBoth, Hits::kSpeed, 2, 8},
      {"stall", "F07", kLink, Engines::kBoth, Hits::kReach, 1.5, 8},
      {"half-open", "F07", kLink, Engines::kBoth, Hits::kReach, 2, 10},
      {"one-way", "F03", kLink, Engines::kBoth, Hits::kReach, 2, 10},
      {"reset", "F04", kLink, Engines::kBoth, Hits::kSpeed, 0, 0},
      {"cut", "F04", kLink, Engines::kBoth, Hits::kSpeed, 2, 4},
      {"refuse", "F03", kLink, Engines::kBoth, Hits::kReach, 2, 8},
      {"island", "F03", kIsland, Engines::kBoth, Hits::kReach, 2, 10},
      {"frame-duplicate", "F15", kPeopleLink, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"frame-replay", "F15", kPeopleLink, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"frame-swap", "F15", kPeopleLink, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"frame-truncate", "F15", kPeopleLink, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"frame-flip", "F15", kPeopleLink, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"redis-flush", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 0, 0},
      {"redis-stop", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 2, 10},
      {"redis-kill", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 0, 0},
      {"redis-read-only", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 2, 8},
      {"redis-full", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 2, 8},
      {"redis-slow", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 2, 6},
      {"redis-hang", "F11", kRedis, Engines::kMysql, Hits::kCacheDown, 1, 6},
      {"store-stop", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 2, 12},
      {"store-kill", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 0, 0},
      {"store-hang", "F02", kMariadb, Engines::kMysql, Hits::kStoreDown, 1, 10},
      {"store-lock-rows", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 1, 6},
      {"store-lock-tables", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 1, 6},
      {"store-read-only", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 2, 8},
      {"store-too-many", "F12", kMariadb, Engines::kMysql, Hits::kStoreDown, 2, 8},
      {"store-drop-connections", "F12", kMariadb, Engines::kMysql, Hits::kSpeed, 0, 0},
      {"commit-lost", "F14", kStoreLink, Engines::kMysql, Hits::kSpeed, 2, 6},
      {"commit-cut", "F14", kStoreLink, Engines::kMysql, Hits::kSpeed, 2, 6},
      {"cache-half-open", "F07", kCacheLink, Engines::kMysql, Hits::kCacheDown, 2, 6},
      {"disk-full-store", "F09", kStoreDisk, Engines::kEmbedded, Hits::kStoreDown, 2, 6},
      {"disk-error-sync", "F10", kStoreDisk, Engines::kEmbedded, Hits::kStoreDown, 1, 4},
      {"disk-slow-sync", "F10", kStoreDisk, Engines::kBoth, Hits::kSpeed, 2, 6},
      {"disk-full-log", "F09", kLogDisk, Engines::kBoth, Hits::kSpeed, 2, 8},
      {"device-restart", "F20", kDevice, Engines::kBoth, Hits::kSpeed, 0, 0},
      {"device-kill", "F20", kDevice, Engines::kBoth, Hits::kSpeed, 2, 5},
      {"device-freeze", "F02", kDevice, Engines::kBoth, Hits::kSpeed, 1, 6},
      {"clock-jump", "F08", kClock, Engines::kBoth, Hits::kSpeed, 2, 8},
      {"descriptors", "F21", kEntry, Engines::kBoth, Hits::kSpeed, 2, 6},
  };
  return kKinds;
}

const FaultKind* find_kind(std::string_view name) {
  const auto at = std::ranges::find(fault_kinds(), name, &FaultKind::name);
  return at == fault_kinds().end() ? nullptr : &*at;
}

std::string Planned::text() const {
  char out[160];
  std::snprintf(out, sizeof out, "%.1f s  %s %s  for %.1f s", at, std::string(kind->name).c_str(),
                target.c_str(), lasts);
  return out;
}

std::vector<std::string> Cast::of(std::string_view tier) const {
  const int count = tier == "entry"    ? size.entries
                    : tier == "logic"  ? size.logics
                    : tier == "router" ? size.routers
                                       : size.das;
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i)
    out.push_back(std::string(tier) + "-" + static_cast<char>('a' + i));
  return out;
}

std::vector<std::string> Cast::daemons() const {
  std::vector<std::string> out;
  for (const char* tier : {"entry", "logic", "router", "das"}) {
    for (std::string& name : of(tier)) out.push_back(std::move(name));
  }
  return out;
}

std::vector<std::string> Cast::links() const {
  std::vector<std::string> out;
  const auto ways = [&](std::string_view from, std::string_view to) {
    for (const std::string& a : of(from)) {
      for (const std::string& b : of(to)) out.push_back(a + ">" + b);
    }
  };
  for (const std::string& entry : of("entry")) out.push_back("people>" + entry);
  ways("entry", "logic");
  ways("entry", "router");
  ways("logic", "router");
  ways("logic", "das");
  if (store == cli::StoreKind::kMysql) {
    for (const std::string& das : of("das")) {
      out.push_back(das + ">mariadb");
      out.push_back(das + ">redis");
    }
  }
  return out;
}

std::vector<std::string> part_of_kinds(cli::StoreKind store, int part, int parts) {
  std::vector<std::string> out;
  int n = 0;
  for (const FaultKind& kind : fault_kinds()) {
    if (fits(kind, {store, {}}) && n++ % parts == part % parts) out.emplace_back(kind.name);
  }
  return out;
}

std::vector<std::string> holds(const Cast& cast, const Planned& planned) {
  switch (planned.kind->strikes) {
    case Strikes::kIsland: {
      std::vector<std::string> out;
      for (const std::string& link : cast.links()) {
        const bool touches =
            link.starts_with(planned.target + ">") || link.ends_with(">" + planned.target);
        if (touches) out.push_back(link);
      }
      return out;
    }
    case Strikes::kDevice: return {planned.target, "a place of the SDK"};
    default: return {planned.target};
  }
}

namespace {

class Planner {
 public:
  Planner(const Cast& cast, const PlanOptions& options, std::uint64_t seed)
      : cast_(cast), options_(options), random_(seed) {
    for (const FaultKind& kind : fault_kinds()) {
      const bool is_asked = options.kinds.empty() ||
                            std::ranges::find(options.kinds, kind.name) != options.kinds.end();
      if (is_asked && fits(kind, cast)) kinds_.push_back(&kind);
    }
  }

  std::vector<Planned> run() {
    if (kinds_.empty()) return {};
    double at = between(random_, 0.5, options_.gap_max / 2);
    while (at < options_.seconds - 1) {
      if (options_.pairs) {
        add_pair(at);
        at = last_end() + between(random_, options_.gap_min, options_.gap_max);
      } else {
        add(at, 0);
        at += between(random_, options_.gap_min, options_.gap_max);
      }
    }
    return std::move(plan_);
  }

 private:
  double last_end() const {
    double out = 0;
    for (const Planned& p : plan_) out = std::max(out, p.until());
    return out;
  }

  /// Of a pair both last a while: the second strikes while the first is there.
  void add_pair(double at) {
    constexpr double kPairLasts = 3;
    if (add(at, kPairLasts)) add(at + between(random_, 0.2, 1.5), kPairLasts);
  }

  bool add(double at, double lasts_least) {
    for (int i = 0; i < kTriesPerFault; ++i) {
      Planned p;
      // Every kind once before any comes again.
      if (bag_.empty()) bag_ = kinds_;
      const std::size_t k = random_.below(bag_.size());
      p.kind = bag_[k];
      p.at = at;
      p.lasts = length(random_, p.kind->lasts_min, std::min(p.kind->lasts_max, options_.lasts_max));
      if (p.kind->lasts_max > 0) p.lasts = std::max(p.lasts, lasts_least);
      p.target = pick(random_, targets_of(cast_, p.kind->strikes));
      p.seed = random_.next();
      if (!may_join(p)) continue;
      bag_.erase(bag_.begin() + static_cast<std::ptrdiff_t>(k));
      plan_.push_back(std::move(p));
      return true;
    }
    return false;
  }

  bool may_join(const Planned& p) const {
    // A moment leaves its target busy for a while: a process that was killed comes back first.
    constexpr double kAftermath = 2.5;
    const std::vector<std::string> wanted = holds(cast_, p);
    int alive = 0;
    for (const Planned& other : plan_) {
      if (other.until() > p.at) ++alive;
      if (other.until() + kAftermath < p.at) continue;
      for (const std::string& held : holds(cast_, other)) {
        if (std::ranges::find(wanted, held) != wanted.end()) return false;
      }
    }
    return alive < options_.alive_max;
  }

  const Cast& cast_;
  const PlanOptions& options_;
  SeededRandom random_;
  std::vector<const FaultKind*> kinds_;
  std::vector<const FaultKind*> bag_;
  std::vector<Planned> plan_;
};

}  // namespace

std::vector<Planned> make_plan(const Cast& cast, const PlanOptions& options, std::uint64_t seed) {
  return Planner(cast, options, seed).run();
}

}  // namespace hy::chaos
