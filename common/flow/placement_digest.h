#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/ids.h"

/// The digest by which an entry and a router replica find out that they disagree: defined once,
/// used by both ends. It covers the **live rows of one entry** (of its current incarnation); a
/// tombstone is not in it. The key is drawn by the entry for each stream and sent with its Hello,
/// because conn_counter is chosen by devices.
///
/// A side keeps one PlacementDigest per stream: add() when a row becomes live, remove() with the
/// old values when it dies or is displaced, both in O(1). The entry puts root() into each
/// Heartbeat together with the op number of that state; a replica compares it only when it has
/// processed exactly that op and has a complete snapshot of the entry.
namespace hy::flow {

inline constexpr std::size_t kDigestBuckets = 256;

/// What a digest knows of one live placement.
struct DigestRow {
  Uid uid;
  Slot slot = Slot::kNone;
  Epoch epoch;
  ConnId conn;
};

/// Rows of one bucket: how many, and the XOR of their keyed hashes.
struct DigestBucket {
  std::uint64_t count = 0;
  std::uint64_t xor_of_hashes = 0;
  friend bool operator==(const DigestBucket&, const DigestBucket&) = default;
};

/// The bucket of a user: 0 .. 255, the same on both sides and for every key.
[[nodiscard]] constexpr std::uint32_t digest_bucket_of(Uid uid) {
  return static_cast<std::uint32_t>(mix64(uid.value()) % kDigestBuckets);
}

/// SipHash-1-3 (Aumasson and Bernstein 2012) over four words, keyed by 64 bits stretched to 128.
/// Keyed and not linear, so a device that picks its conn_counter cannot aim at a collision.
[[nodiscard]] constexpr std::uint64_t digest_hash(std::uint64_t key,
                                                  const std::array<std::uint64_t, 4>& words) {
  const auto rotl = [](std::uint64_t x, int b) { return (x << b) | (x >> (64 - b)); };
  const std::uint64_t k0 = key;
  const std::uint64_t k1 = mix64(key);
  std::uint64_t v0 = k0 ^ 0x736f6d6570736575ULL;
  std::uint64_t v1 = k1 ^ 0x646f72616e646f6dULL;
  std::uint64_t v2 = k0 ^ 0x6c7967656e657261ULL;
  std::uint64_t v3 = k1 ^ 0x7465646279746573ULL;
  const auto round = [&] {
    v0 += v1;
    v1 = rotl(v1, 13) ^ v0;
    v0 = rotl(v0, 32);
    v2 += v3;
    v3 = rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl(v1, 17) ^ v2;
    v2 = rotl(v2, 32);
  };
  for (const std::uint64_t word : words) {
    v3 ^= word;
    round();
    v0 ^= word;
  }
  constexpr std::uint64_t kLength = std::uint64_t{32} << 56;
  v3 ^= kLength;
  round();
  v0 ^= kLength;
  v2 ^= 0xff;
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}

/// 256 buckets under one key. 4 KiB. One thread.
class PlacementDigest {
 public:
  explicit PlacementDigest(std::uint64_t key = 0) : key_(key) {}

  void add(const DigestRow& row) {
    DigestBucket& bucket = buckets_[digest_bucket_of(row.uid)];
    ++bucket.count;
    bucket.xor_of_hashes ^= hash_of(row);
    root_ = 0;
  }
  /// Precondition: this row was added and not yet removed.
  void remove(const DigestRow& row) {
    DigestBucket& bucket = buckets_[digest_bucket_of(row.uid)];
    --bucket.count;
    bucket.xor_of_hashes ^= hash_of(row);
    root_ = 0;
  }
  /// Never 0, so that 0 can stand for "not stated" on the wire. About 10 us after a change; then it
  /// is remembered: heartbeats ask for it, and most of them between two changes.
  [[nodiscard]] std::uint64_t root() const {
    if (root_ != 0) return root_;
    std::uint64_t out = 0;
    for (std::uint64_t i = 0; i < kDigestBuckets; ++i) {
      out ^= digest_hash(key_, {i, buckets_[i].count, buckets_[i].xor_of_hashes, kRootTag});
    }
    root_ = out == 0 ? 1 : out;
    return root_;
  }
  [[nodiscard]] const std::array<DigestBucket, kDigestBuckets>& buckets() const { return buckets_; }
  [[nodiscard]] std::uint64_t rows() const {
    std::uint64_t sum = 0;
    for (const DigestBucket& bucket : buckets_) sum += bucket.count;
    return sum;
  }
  [[nodiscard]] std::uint64_t key() const { return key_; }

 private:
  static constexpr std::uint64_t kRootTag = 0x726f6f74;  // "root": no row hashes to the same words

  [[nodiscard]] std::uint64_t hash_of(const DigestRow& row) const {
    return digest_hash(key_,
                       {row.uid.value(), static_cast<std::uint64_t>(row.slot),
                        (std::uint64_t{row.epoch.auth} << 32) | row.epoch.conn, row.conn.value()});
  }

  std::uint64_t key_;
  std::array<DigestBucket, kDigestBuckets> buckets_{};
  mutable std::uint64_t root_ = 0;  ///< 0: not known
};

}  // namespace hy::flow
