#pragma once

#include <optional>
#include <span>

#include "common/wire/header.h"

namespace hy::wire {

/// One whole frame. The views point into the caller's buffer or into the decoder; they are valid
/// until the next call of next(). `body` is writable so that it can be decrypted in place.
struct Frame {
  Header header;
  std::span<const std::uint8_t, limits::kHeaderBytes> header_bytes;
  std::span<std::uint8_t> body;
};

/// Cuts a byte stream into frames, whatever the pieces it arrives in.
///
/// A thread reads into one buffer of its own and hands out what it got; a frame that lies whole in
/// that buffer is never copied. The decoder keeps only an unfinished tail, and nothing at all when
/// there is none: an idle connection costs sizeof(FrameDecoder). A body is stored only after its
/// header was judged; there is no resynchronisation: after an error the connection closes.
class FrameDecoder {
 public:
  /// Takes bytes from the front of `input`. A frame: handle it and call again, with the state that
  /// it led to. nullopt: `input` is used up; call again when more has arrived. An error
  /// (parse_header's): close; the decoder is not used again.
  [[nodiscard]] Result<std::optional<Frame>> next(std::span<std::uint8_t>& input, ReadState state);

  /// Bytes of an unfinished frame that are kept; 0 when idle.
  [[nodiscard]] std::size_t tail_bytes() const { return delivered_ ? 0 : tail_.size(); }
  /// True while a frame has begun and is not whole: what a slow-sender rule looks at.
  [[nodiscard]] bool is_inside_frame() const { return tail_bytes() > 0; }

 private:
  Result<std::optional<Frame>> next_from_tail(std::span<std::uint8_t>& input, ReadState state);

  Bytes tail_;
  Header header_{};         // of the tail; valid when judged_
  bool judged_ = false;     // the tail's header was parsed
  bool delivered_ = false;  // the tail was handed out as a frame: free it at the next call
};

}  // namespace hy::wire
