#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "entry/ports/logic_port.h"
#include "entry/ports/router_port.h"

namespace hy::entry::test {

class HandClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() const override { return 1'700'000'000'000; }
  void advance(Millis by) { now_ += by; }

 private:
  MonoTime now_{std::chrono::hours{10}};
};

struct FakeLogic final : LogicPort {
  struct Forwarded {
    std::uint32_t logic = 0;
    std::uint64_t id = 0;
    Command command;
    Millis remaining{0};
  };
  std::vector<Forwarded> forwarded;
  std::vector<Confirm> confirms;
  std::vector<std::pair<ConnId, Session>> closings;
  bool room = true;

  [[nodiscard]] bool has_room(std::uint32_t /*logic*/) const override { return room; }
  void forward(std::uint32_t logic, std::uint64_t id, const Command& command,
               Millis remaining) override {
    forwarded.push_back({logic, id, command, remaining});
  }
  void confirm(std::uint32_t /*logic*/, const Confirm& confirm) override {
    confirms.push_back(confirm);
  }
  void closed(std::uint32_t /*logic*/, ConnId conn, const Session& session) override {
    closings.emplace_back(conn, session);
  }
  std::optional<Forwarded> take() {
    if (forwarded.empty()) return std::nullopt;
    Forwarded out = forwarded.front();
    forwarded.erase(forwarded.begin());
    return out;
  }
};

struct FakeRouter final : RouterPort {
  struct Ops {
    std::uint32_t replica = 0;
    std::uint64_t after = 0;
    std::uint64_t last = 0;
    std::vector<PlacementRow> rows;
  };
  struct Snapshot {
    std::uint32_t replica = 0;
    std::vector<PlacementRow> rows;
    bool end = false;
    std::uint64_t last_op = 0;
  };
  struct Rows {
    std::uint32_t replica = 0;
    std::uint32_t bucket = 0;
    std::vector<PlacementRow> rows;
  };
  std::vector<LinkHello> hellos;
  std::vector<Ops> all_ops;
  std::vector<Snapshot> snapshots;
  std::vector<Rows> bucket_answers;
  std::vector<std::uint64_t> digest_answers;
  std::vector<std::pair<std::uint32_t, LinkHeartbeat>> heartbeats;
  std::vector<DeliveryResult> results;
  bool room = true;

  [[nodiscard]] bool has_room(std::uint32_t /*replica*/) const override { return room; }
  void hello(std::uint32_t /*replica*/, const LinkHello& hello) override {
    hellos.push_back(hello);
  }
  void ops(std::uint32_t replica, std::uint64_t after, std::uint64_t last,
           std::span<const PlacementRow> rows) override {
    all_ops.push_back({replica, after, last, {rows.begin(), rows.end()}});
  }
  void snapshot(std::uint32_t replica, std::span<const PlacementRow> rows, bool end,
                std::uint64_t last_op) override {
    snapshots.push_back({replica, {rows.begin(), rows.end()}, end, last_op});
  }
  void bucket_rows(std::uint32_t replica, std::uint32_t bucket,
                   std::span<const PlacementRow> rows) override {
    bucket_answers.push_back({replica, bucket, {rows.begin(), rows.end()}});
  }
  void bucket_digests(
      std::uint32_t /*replica*/, std::uint64_t last_op,
      const std::array<flow::DigestBucket, flow::kDigestBuckets>& /*buckets*/) override {
    digest_answers.push_back(last_op);
  }
  void heartbeat(std::uint32_t replica, const LinkHeartbeat& heartbeat) override {
    heartbeats.emplace_back(replica, heartbeat);
  }
  void result(std::uint32_t /*replica*/, const DeliveryResult& result) override {
    results.push_back(result);
  }
  void redial(std::uint32_t /*replica*/, const std::string& /*why*/) override {}

  [[nodiscard]] std::uint64_t last_op_sent(std::uint32_t replica) const {
    std::uint64_t out = 0;
    for (const Ops& ops : all_ops) {
      if (ops.replica == replica) out = std::max(out, ops.last);
    }
    for (const Snapshot& part : snapshots) {
      if (part.replica == replica && part.end) out = std::max(out, part.last_op);
    }
    return out;
  }
  /// The last row that was sent for the key, in ops or dumps.
  [[nodiscard]] std::optional<PlacementRow> row(Uid uid, Slot slot) const {
    std::optional<PlacementRow> out;
    const auto look = [&](const std::vector<PlacementRow>& rows) {
      for (const PlacementRow& row : rows) {
        if (row.uid == uid && row.slot == slot) out = row;
      }
    };
    for (const Snapshot& part : snapshots) look(part.rows);
    for (const Ops& ops : all_ops) look(ops.rows);
    return out;
  }
};

}  // namespace hy::entry::test
