#include "entry/link/placement_log.h"

#include <algorithm>

#include "common/base/check.h"

namespace hy::entry {
namespace {

/// The table's order differs from run to run; what is sent must not.
void sort_rows(std::vector<PlacementRow>& rows) {
  std::ranges::sort(rows, [](const PlacementRow& a, const PlacementRow& b) {
    return a.uid != b.uid ? a.uid < b.uid : a.slot < b.slot;
  });
}

}  // namespace

PlacementLog::Key PlacementLog::key_of(Uid uid, Slot slot) {
  return Key{uid.value(), static_cast<std::uint8_t>(slot)};
}

PlacementLog::Live PlacementLog::live_of(const Row& row) {
  return {.epoch = {row.auth, row.counter}, .conn = ConnId{row.conn}};
}

PlacementRow PlacementLog::row_of(const Key& key, const Live& live, bool dead) {
  return {.uid = Uid{key.uid},
          .slot = static_cast<Slot>(key.slot),
          .epoch = live.epoch,
          .conn = live.conn,
          .dead = dead};
}

std::optional<PlacementLog::Live> PlacementLog::find(Uid uid, Slot slot) const {
  const auto at = live_.find(key_of(uid, slot));
  if (at == live_.end()) return std::nullopt;
  return live_of(at->second);
}

std::optional<Epoch> PlacementLog::newest_epoch(Uid uid, Slot slot) const {
  if (const auto live = find(uid, slot)) return live->epoch;
  const auto at = pending_.find(key_of(uid, slot));
  if (at == pending_.end()) return std::nullopt;
  return at->second.epoch;
}

std::uint64_t PlacementLog::record(const Key& key, Epoch epoch, ConnId conn) {
  ++last_op_;
  log_.push_back(key);
  pending_[key] = {.op = last_op_, .epoch = epoch, .conn = conn};
  return last_op_;
}

std::uint64_t PlacementLog::put(Uid uid, Slot slot, Epoch epoch, ConnId conn) {
  const Key key = key_of(uid, slot);
  const auto [at, is_new] = live_.try_emplace(key);
  if (!is_new) digest_remove(key, live_of(at->second));
  at->second = Row{epoch.auth, epoch.conn, conn.value()};
  digest_add(key, live_of(at->second));
  return record(key, epoch, conn);
}

std::uint64_t PlacementLog::erase(Uid uid, Slot slot, ConnId conn) {
  const Key key = key_of(uid, slot);
  const auto at = live_.find(key);
  if (at == live_.end() || at->second.conn != conn.value()) return 0;
  const Live gone = live_of(at->second);
  digest_remove(key, gone);
  live_.erase(at);
  return record(key, gone.epoch, gone.conn);
}

std::uint64_t PlacementLog::collect(std::uint64_t after, std::size_t rows_max,
                                    std::vector<PlacementRow>& out) const {
  HY_CHECK(after + 1 >= log_start_);
  std::uint64_t op = after;
  while (op < last_op_ && out.size() < rows_max) {
    ++op;
    const Key& key = log_[op - log_start_];
    const auto pending = pending_.find(key);
    if (pending == pending_.end() || pending->second.op != op) continue;  // a later change of it
    const auto live = live_.find(key);
    if (live != live_.end()) {
      out.push_back(row_of(key, live_of(live->second), false));
    } else {
      out.push_back(
          row_of(key, {.epoch = pending->second.epoch, .conn = pending->second.conn}, true));
    }
  }
  return op;
}

void PlacementLog::confirm(std::uint64_t op) {
  op = std::min(op, last_op_);
  while (log_start_ <= op) {
    const auto pending = pending_.find(log_.front());
    if (pending != pending_.end() && pending->second.op == log_start_) pending_.erase(pending);
    log_.pop_front();
    ++log_start_;
  }
}

std::vector<PlacementRow> PlacementLog::all_rows() const {
  std::vector<PlacementRow> out;
  out.reserve(live_.size());
  for (const auto& [key, row] : live_) out.push_back(row_of(key, live_of(row), false));
  sort_rows(out);
  return out;
}

std::vector<PlacementRow> PlacementLog::rows_of_bucket(std::uint32_t bucket) const {
  std::vector<PlacementRow> out;
  for (const auto& [key, row] : live_) {
    if (flow::digest_bucket_of(Uid{key.uid}) == bucket) {
      out.push_back(row_of(key, live_of(row), false));
    }
  }
  sort_rows(out);
  return out;
}

void PlacementLog::reset_digest(std::uint32_t link, std::uint64_t key) {
  if (digests_.size() <= link) digests_.resize(link + 1);
  flow::PlacementDigest digest(key);
  for (const auto& [k, row] : live_) {
    digest.add({.uid = Uid{k.uid},
                .slot = static_cast<Slot>(k.slot),
                .epoch = {row.auth, row.counter},
                .conn = ConnId{row.conn}});
  }
  digests_[link] = digest;
}

void PlacementLog::digest_remove(const Key& key, const Live& live) {
  for (flow::PlacementDigest& digest : digests_) {
    digest.remove({Uid{key.uid}, static_cast<Slot>(key.slot), live.epoch, live.conn});
  }
}

void PlacementLog::digest_add(const Key& key, const Live& live) {
  for (flow::PlacementDigest& digest : digests_) {
    digest.add({Uid{key.uid}, static_cast<Slot>(key.slot), live.epoch, live.conn});
  }
}

}  // namespace hy::entry
