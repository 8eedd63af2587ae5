#include "common/wire/frame_decoder.h"

#include <algorithm>

namespace hy::wire {
namespace {

using HeaderView = std::span<const std::uint8_t, limits::kHeaderBytes>;

std::uint8_t* data_of(Bytes& bytes) {
  return reinterpret_cast<std::uint8_t*>(bytes.data());
}

void move_bytes(std::span<std::uint8_t>& from, std::size_t wanted, Bytes& to) {
  const std::size_t take = std::min(wanted, from.size());
  to.append(as_text(from.first(take)));
  from = from.subspan(take);
}

}  // namespace

Result<std::optional<Frame>> FrameDecoder::next(std::span<std::uint8_t>& input, ReadState state) {
  if (delivered_) {
    tail_ = Bytes();  // releases the memory: clear() would keep it
    delivered_ = judged_ = false;
  }
  if (!tail_.empty()) return next_from_tail(input, state);
  if (input.empty()) return std::nullopt;
  if (input.size() < limits::kHeaderBytes) {
    move_bytes(input, input.size(), tail_);
    return std::nullopt;
  }
  const HeaderView header_bytes = input.first<limits::kHeaderBytes>();
  HY_TRY(const Header header, parse_header(header_bytes, state));
  const std::size_t total = limits::kHeaderBytes + std::size_t{header.length};
  if (input.size() < total) {
    header_ = header;
    judged_ = true;
    move_bytes(input, input.size(), tail_);
    return std::nullopt;
  }
  const auto body = input.subspan(limits::kHeaderBytes, header.length);
  input = input.subspan(total);
  return Frame{.header = header, .header_bytes = header_bytes, .body = body};
}

Result<std::optional<Frame>> FrameDecoder::next_from_tail(std::span<std::uint8_t>& input,
                                                          ReadState state) {
  if (!judged_) {
    move_bytes(input, limits::kHeaderBytes - tail_.size(), tail_);
    if (tail_.size() < limits::kHeaderBytes) return std::nullopt;
    HY_TRY(header_, parse_header(HeaderView(data_of(tail_), limits::kHeaderBytes), state));
    judged_ = true;
  }
  const std::size_t total = limits::kHeaderBytes + std::size_t{header_.length};
  move_bytes(input, total - tail_.size(), tail_);
  if (tail_.size() < total) return std::nullopt;
  delivered_ = true;
  return Frame{.header = header_,
               .header_bytes = HeaderView(data_of(tail_), limits::kHeaderBytes),
               .body = {data_of(tail_) + limits::kHeaderBytes, header_.length}};
}

}  // namespace hy::wire
