#include "tests/faults/gate_commits.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace hy::faults {
namespace {

constexpr std::size_t kHeaderBytes = 4;
constexpr std::size_t kShortMax = 16;  // "COMMIT", a semicolon, some blanks
constexpr char kComQuery = 0x03;
constexpr char kOk = 0x00;

std::size_t payload_bytes(const std::string& packet) {
  std::size_t value = 0;
  for (std::size_t i = 3; i-- > 0;) value = (value << 8) | static_cast<std::uint8_t>(packet[i]);
  return value;
}

bool is_commit(const std::string& packet) {
  if (packet.size() <= kHeaderBytes || packet[kHeaderBytes] != kComQuery) return false;
  std::string text;
  for (std::size_t i = kHeaderBytes + 1; i < packet.size(); ++i) {
    const int c = static_cast<std::uint8_t>(packet[i]);
    if (std::isspace(c) == 0 && c != ';') text += static_cast<char>(std::toupper(c));
  }
  return text == "COMMIT";
}

}  // namespace

CommitWatch::Next CommitWatch::from_client(std::string_view in, std::string& out) {
  while (!in.empty()) {
    if (pass_left_ > 0) {
      const std::size_t n = std::min(pass_left_, in.size());
      out += in.substr(0, n);
      pass_left_ -= n;
      in.remove_prefix(n);
      continue;
    }
    packet_.push_back(in.front());
    in.remove_prefix(1);
    if (packet_.size() < kHeaderBytes) continue;
    const std::size_t payload = payload_bytes(packet_);
    if (payload <= kShortMax) {
      if (packet_.size() < kHeaderBytes + payload) continue;
      if (is_commit(packet_)) {
        const CommitFate fate = decide_();
        if (fate == CommitFate::kCut) return Next::kCut;
        awaits_ok_ = fate == CommitFate::kSwallow;
      }
    } else {
      pass_left_ = payload;
    }
    out += packet_;
    packet_.clear();
  }
  return Next::kGoOn;
}

CommitWatch::Next CommitWatch::from_server(std::string_view in, std::string& out) {
  if (!awaits_ok_) {
    out += in;
    return Next::kGoOn;
  }
  answer_ += in;
  if (answer_.size() <= kHeaderBytes) return Next::kGoOn;
  awaits_ok_ = false;
  if (answer_[kHeaderBytes] == kOk) return Next::kCut;
  out += answer_;
  answer_.clear();
  return Next::kGoOn;
}

}  // namespace hy::faults
