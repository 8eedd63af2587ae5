#include "tests/cluster/chaos/report.h"

#include <charconv>
#include <fstream>
#include <iterator>

namespace hy::chaos {

std::uint64_t Report::get(const std::string& name) const {
  const auto at = counts_.find(name);
  return at == counts_.end() ? 0 : at->second;
}

std::uint64_t Report::sum(std::string_view prefix) const {
  std::uint64_t out = 0;
  for (const auto& [name, count] : counts_) {
    if (name.starts_with(prefix)) out += count;
  }
  return out;
}

std::size_t Report::kinds(std::string_view prefix) const {
  std::size_t out = 0;
  for (const auto& [name, count] : counts_) {
    if (name.starts_with(prefix) && count > 0) ++out;
  }
  return out;
}

void Report::merge(const Report& other) {
  for (const auto& [name, count] : other.counts_) counts_[name] += count;
}

void Report::add_faults(const std::vector<FaultRecord>& records) {
  for (std::size_t i = 0; i < records.size(); ++i) {
    const FaultRecord& a = records[i];
    if (!a.has_begun) continue;
    add("faults/" + std::string(a.planned.kind->name));
    if (!a.was_felt) add("not_felt/" + std::string(a.planned.kind->name));
    for (std::size_t k = i + 1; k < records.size(); ++k) {
      const FaultRecord& b = records[k];
      if (!b.has_begun || b.began > a.ended || a.began > b.ended) continue;
      const auto [low, high] = std::minmax(a.planned.kind->name, b.planned.kind->name);
      add("pairs/" + std::string(low) + "+" + std::string(high));
    }
  }
}

std::string Report::json() const {
  std::string out = "{\n  \"format\": 1";
  for (const auto& [name, count] : counts_)
    out += ",\n  \"" + name + "\": " + std::to_string(count);
  return out + "\n}\n";
}

Result<Report> Report::parse(const std::string& text) {
  Report out;
  std::size_t at = 0;
  while ((at = text.find('"', at)) != std::string::npos) {
    const std::size_t end = text.find('"', at + 1);
    if (end == std::string::npos || text.substr(end, 3) != "\": ")
      return fail(Errc::kConfigSyntax, "a report is lines of \"name\": count");
    const std::string name = text.substr(at + 1, end - at - 1);
    std::uint64_t count = 0;
    const char* const from = text.data() + end + 3;
    const auto read = std::from_chars(from, text.data() + text.size(), count);
    if (read.ec != std::errc()) return fail(Errc::kConfigSyntax, name + " has no count");
    if (name != "format") out.add(name, count);
    at = static_cast<std::size_t>(read.ptr - text.data());
  }
  return out;
}

Status Report::save(const std::filesystem::path& file, bool append) const {
  Report all = *this;
  if (append && std::filesystem::exists(file)) {
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    HY_TRY(const Report before, parse(text));
    all.merge(before);
  }
  std::ofstream out(file, std::ios::trunc);
  out << all.json();
  out.flush();
  if (!out) return fail(Errc::kInternal, "cannot write " + file.string());
  return {};
}

std::vector<std::string> Report::summary() const {
  const auto n = [this](const char* name) { return std::to_string(get(name)); };
  std::vector<std::string> out;
  out.push_back("rounds " + n("rounds") + "  clean " + n("rounds_clean") + "  violations " +
                n("violations") + "  no verdict " + n("rounds_no_verdict"));
  out.push_back("messages sent " + n("messages/sent") + "  stored " + n("messages/stored") +
                "  delivered " + n("messages/delivered") + "  relayed for a while " +
                n("messages/relayed") + "  refused " + n("messages/refused"));
  out.push_back("faults " + std::to_string(sum("faults/")) + " of " +
                std::to_string(kinds("faults/")) + " kinds, " + std::to_string(kinds("pairs/")) +
                " pairs, not felt " + std::to_string(sum("not_felt/")));
  out.push_back("sync points: " + std::to_string(kinds("hits/")) + " of " +
                std::to_string(hooks::kSyncPoints.size()) + " reached, " +
                std::to_string(sum("points/")) + " deeds at " + std::to_string(kinds("points/")) +
                " of (place, deed)");
  return out;
}

}  // namespace hy::chaos
