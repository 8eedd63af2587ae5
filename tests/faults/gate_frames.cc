#include "tests/faults/gate_frames.h"

#include <algorithm>

#include "common/wire/header.h"

namespace hy::faults {
namespace {

constexpr std::size_t kRecordMax = 16;
constexpr std::size_t kBodyBytesMax = 65'535;

std::uint32_t word(std::string_view in, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i) value = (value << 8) | static_cast<std::uint8_t>(in[i]);
  return value;
}

bool is_data(std::string_view frame) {
  return word(frame, 8) == static_cast<std::uint32_t>(wire::Outer::kData);
}

bool chance(SeededRandom& random, double p) {
  constexpr std::uint64_t kSteps = 1'000'000;
  return p > 0 && static_cast<double>(random.below(kSteps)) < p * kSteps;
}

}  // namespace

void FrameJudge::heal() {
  rates_ = {};
  strike_.reset();
}

bool FrameJudge::is_idle() const {
  return !strike_ && std::ranges::all_of(rates_.p, [](double p) { return p <= 0; });
}

std::optional<FrameFault> FrameJudge::judge(std::string_view frame) {
  const bool data = is_data(frame);
  if (data) {
    record_.emplace_back(frame);
    if (record_.size() > kRecordMax) record_.pop_front();
  }
  if (strike_ && (data || !strike_->data_only)) {
    if (strike_->left <= 1) {
      const FrameFault fault = strike_->fault;
      strike_.reset();
      return fault;
    }
    --strike_->left;
  }
  if (rates_.data_only && !data) return std::nullopt;
  for (std::size_t i = 0; i < kFrameFaults; ++i) {
    if (chance(random_, rates_.p[i])) return static_cast<FrameFault>(i);
  }
  return std::nullopt;
}

std::string FrameJudge::recorded() {
  if (record_.size() < 2) return {};
  return record_[static_cast<std::size_t>(random_.below(record_.size() - 1))];
}

void FrameMangler::feed(std::string_view in, const Out& out) {
  if (is_raw_) {
    out(std::string(in));
    return;
  }
  partial_ += in;
  std::size_t at = 0;
  while (partial_.size() - at >= limits::kHeaderBytes) {
    const std::string_view rest = std::string_view(partial_).substr(at);
    const std::size_t body = word(rest, 12);
    if (word(rest, 4) != wire::kMagic || body > kBodyBytesMax) {
      is_raw_ = true;
      release(out);
      out(std::string(rest));
      partial_.clear();
      return;
    }
    const std::size_t whole = limits::kHeaderBytes + body;
    if (rest.size() < whole) break;
    at += whole;
    frame(std::string(rest.substr(0, whole)), out);
  }
  partial_.erase(0, at);
}

void FrameMangler::frame(std::string whole, const Out& out) {
  ++count_.frames;
  const auto fault = judge_.judge(whole);
  if (!fault) {
    deliver(std::move(whole), out);
    return;
  }
  auto& touched = count_.touched[static_cast<std::size_t>(*fault)];
  switch (*fault) {
    case FrameFault::kDuplicate:
      ++touched;
      deliver(whole, out);
      deliver(std::move(whole), out);
      break;
    case FrameFault::kReplay: {
      std::string old = judge_.recorded();
      deliver(std::move(whole), out);
      if (old.empty()) break;
      ++touched;
      deliver(std::move(old), out);
      break;
    }
    case FrameFault::kSwap:
      if (held_.empty()) {
        held_ = std::move(whole);
      } else {
        deliver(std::move(whole), out);
      }
      break;
    case FrameFault::kTruncate: {
      ++touched;
      const std::size_t keep = 1 + static_cast<std::size_t>(judge_.below(whole.size() - 1));
      whole.resize(keep);
      deliver(std::move(whole), out);
      break;
    }
    case FrameFault::kFlip: {
      ++touched;
      const auto bit = judge_.below(whole.size() * 8);
      auto& at = whole[static_cast<std::size_t>(bit / 8)];
      at = static_cast<char>(static_cast<std::uint8_t>(at) ^ (1U << (bit % 8)));
      deliver(std::move(whole), out);
      break;
    }
  }
}

void FrameMangler::deliver(std::string whole, const Out& out) {
  out(std::move(whole));
  if (held_.empty()) return;
  ++count_.touched[static_cast<std::size_t>(FrameFault::kSwap)];
  out(std::exchange(held_, {}));
}

void FrameMangler::release(const Out& out) {
  if (!held_.empty()) out(std::exchange(held_, {}));
}

void FrameMangler::finish(const Out& out) {
  release(out);
  if (!partial_.empty()) out(std::exchange(partial_, {}));
}

}  // namespace hy::faults
