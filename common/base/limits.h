#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

/// Protocol limits. Operational ones (rates, window sizes, time-outs) are configuration: see
/// <daemon>/config.cc.
namespace hy::limits {

using namespace std::chrono_literals;

// Client wire (docs/reference/wire-protocol.md).
inline constexpr std::uint32_t kHeaderBytes = 16;
inline constexpr std::uint32_t kTagBytes = 16;
inline constexpr std::uint32_t kInnerHeaderBytes = 8;
inline constexpr std::uint32_t kHelloBytesMax = 128;
inline constexpr std::uint32_t kBodyBeforeLoginMax = 1'024;
inline constexpr std::uint32_t kBodyBytesMax =
    65'535;  // Noise rev 34 §3: a message is at most 65535 bytes
inline constexpr std::uint32_t kInnerBytesMax = kBodyBytesMax - kTagBytes;
inline constexpr std::uint32_t kInnerBodyBytesMax = kInnerBytesMax - kInnerHeaderBytes;
inline constexpr std::uint32_t kCompressFromBytes = 1'024;
inline constexpr std::uint32_t kDecompressedBytesMax = 256 * 1'024;
inline constexpr std::uint32_t kDecompressRatioMax = 20;
inline constexpr std::uint64_t kRekeyEveryFrames = 1ULL << 16;
inline constexpr std::uint64_t kNonceStop = 1ULL << 32;

// Messages.
inline constexpr std::uint32_t kMessageBodyBytesMax = 16 * 1'024;
inline constexpr std::uint32_t kIdsPerRequestMax = 500;
inline constexpr std::uint32_t kSliceMessagesMax = 200;
inline constexpr std::uint32_t kSliceBytesMax = 60 * 1'024;
inline constexpr std::uint32_t kNameBytesMax = 64;
/// Members of a group, whatever the settings say: one DELIVER names so many.
inline constexpr std::uint32_t kGroupMembersMax = 512;
inline constexpr std::uint32_t kPasswordBytesMin = 8;
inline constexpr std::uint32_t kPasswordBytesMax = 256;
inline constexpr std::uint32_t kDeviceIdBytesMax = 64;
inline constexpr auto kSyncOverlap =
    120s;  // guarantees: what slips past `since` is bounded by this

// Between tiers.
inline constexpr std::size_t kRpcMessageBytesMax = 4 * 1'024 * 1'024;
inline constexpr std::size_t kBatchEnvelopesMax = 256;
inline constexpr std::size_t kBatchBytesMax = 1 * 1'024 * 1'024;

static_assert(kMessageBodyBytesMax < kInnerBodyBytesMax, "a message fits one frame");
static_assert(kSliceBytesMax < kInnerBodyBytesMax, "a slice fits one frame uncompressed");
static_assert(kSliceBytesMax >= 2 * kMessageBodyBytesMax,
              "a slice holds the largest message and more");
static_assert(kBatchBytesMax + kInnerBytesMax < kRpcMessageBytesMax,
              "a batch fits one gRPC message");

}  // namespace hy::limits
