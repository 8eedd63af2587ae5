#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace hy::wire {

// One zstd compressor and one decompressor per thread (about 150 KB together), reset for each body:
// no dictionary and no state is carried from one frame to the next.

/// True: `out` (replaced) holds one zstd frame, smaller than `in` and within the ratio that a
/// receiver takes. False: not worth it, or below 1 KiB; send it as it is.
[[nodiscard]] bool compress_body(ByteView in, Bytes& out);

/// `out` (replaced) gets the one zstd frame that `in` is. Error kBadCompression: not exactly one
/// frame, less than 1 KiB or more than 256 KiB, more than 20 times the input, or a window above
/// 256 KiB. It stops within 16 KiB of the bound that was broken, and holds no more memory than
/// that.
[[nodiscard]] Status decompress_body(ByteView in, Bytes& out);

}  // namespace hy::wire
