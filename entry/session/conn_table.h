#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/check.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

/// The connections of one I/O thread in slots that never move. A ConnId (shard, index, generation)
/// names one life of a slot and is never given twice in one life of the process; a slot whose
/// generation is used up is retired. `Record` needs `std::uint32_t generation`, `bool used` and
/// reset(). One thread.
template <class Record>
class ConnTable {
 public:
  ConnTable(std::uint32_t shard, std::uint32_t slots_max) : shard_(shard), slots_max_(slots_max) {
    HY_CHECK(shard < kShardsMax && slots_max <= kSlotsPerShardMax);
  }

  /// nullptr: the table is full.
  Record* open() {
    std::uint32_t index = 0;
    if (!free_.empty()) {
      index = free_.back();
      free_.pop_back();
    } else if (slots_ < slots_max_) {
      if (slots_ % kChunk == 0) chunks_.push_back(std::make_unique<Record[]>(kChunk));
      index = slots_++;
    } else {
      return nullptr;
    }
    Record& record = at(index);
    record.generation += 1;
    record.used = true;
    record.index = index;
    ++open_;
    return &record;
  }

  void close(Record& record) {
    HY_CHECK(record.used);
    record.used = false;
    record.reset();
    --open_;
    if (record.generation != kGenerationMax) free_.push_back(record.index);
  }

  /// nullptr: that connection is gone, or the id was never given.
  Record* find(ConnId conn) {
    if (conn_shard(conn) != shard_ || conn_index(conn) >= slots_) return nullptr;
    Record& record = at(conn_index(conn));
    return record.used && record.generation == conn_generation(conn) ? &record : nullptr;
  }
  /// By slot alone, for timers and readiness; nullptr when the slot is free.
  Record* at_index(std::uint32_t index) {
    if (index >= slots_) return nullptr;
    Record& record = at(index);
    return record.used ? &record : nullptr;
  }

  [[nodiscard]] ConnId id_of(const Record& record) const {
    return make_conn_id(shard_, record.index, record.generation);
  }
  [[nodiscard]] std::uint32_t open_count() const { return open_; }
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] std::uint32_t slots_max() const { return slots_max_; }

 private:
  static constexpr std::uint32_t kChunk = 256;
  static constexpr std::uint32_t kGenerationMax = 0xFFFF'FFFF;

  Record& at(std::uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }

  std::uint32_t shard_;
  std::uint32_t slots_max_;
  std::uint32_t slots_ = 0;
  std::uint32_t open_ = 0;
  std::vector<std::unique_ptr<Record[]>> chunks_;
  std::vector<std::uint32_t> free_;
};

}  // namespace hy::entry
