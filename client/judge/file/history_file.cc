#include "client/judge/file/history_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "client/judge/file/fields.h"
#include "client/judge/file/json_line.h"

namespace hy::judge {
namespace {

constexpr std::array<std::string_view, 4> kVias{"", "push", "sync", "pull"};
constexpr std::array<std::string_view, 3> kAnswers{"offline", "online", "unknown"};
constexpr std::array<std::string_view, 5> kClosers{"", "app", "server", "network", "process"};
constexpr std::array<std::string_view, 7> kStates{"outbox", "relayed", "stored", "delivered",
                                                  "read",   "unsure",  "refused"};
struct Flag {
  std::uint8_t bit;
  std::string_view name;
};
constexpr std::array kFlagNames{Flag{kProvisional, "provisional"}, Flag{kRelayed, "relayed"},
                                Flag{kRepeat, "repeat"},           Flag{kFinal, "final"},
                                Flag{kReadMark, "read"},           Flag{kTruncated, "truncated"},
                                Flag{kTooFar, "too_far"},          Flag{kDrained, "drained"}};

using Out = std::back_insert_iterator<std::string>;

void put_list(Out out, const History& history, const Event& e, bool heads) {
  fmt::format_to(out, ",\"{}\":[", heads ? "heads" : "rows");
  bool is_first = true;
  for (const Item& item : history.items(e)) {
    if (!is_first) fmt::format_to(out, ",");
    is_first = false;
    if (heads) {
      fmt::format_to(out, "[\"{}\",{}]", conv_text(item.conv), item.seq);
    } else {
      fmt::format_to(out, "[{},\"{}\"]", item.seq, item.cmid.to_hex());
    }
  }
  fmt::format_to(out, "]");
}

void put_flags(Out out, std::uint8_t flags) {
  for (const Flag& flag : kFlagNames) {
    if ((flags & flag.bit) != 0) fmt::format_to(out, ",\"{}\":true", flag.name);
  }
}

void put(Out out, const History& history, const Event& e, Field field) {
  const auto text = [&](std::string_view key, std::string_view value) {
    fmt::format_to(out, ",\"{}\":\"{}\"", key, value);
  };
  const auto number = [&](std::string_view key, auto value) {
    fmt::format_to(out, ",\"{}\":{}", key, value);
  };
  switch (field) {
    case Field::kCmid: return text("cmid", e.cmid.to_hex());
    case Field::kConv: return text("conv", conv_text(e.conv));
    case Field::kSeq: return number("seq", e.seq);
    case Field::kTo: return number("to", e.seq);
    case Field::kUseq: return number("useq", e.seq);
    case Field::kCount: return number("count", e.count());
    case Field::kBase: return number("base", e.low);
    case Field::kFrom: return number("from", e.low);
    case Field::kQuoted: return number("quote", e.low);
    case Field::kSince: return number("since", static_cast<std::int64_t>(e.low));
    case Field::kEntry: return number("entry", e.low);
    case Field::kPhash: return number("phash", e.phash);
    case Field::kTruncatedTo: return number("truncated_to", e.phash);
    case Field::kClockSteps: return number("clock_steps", e.phash);
    case Field::kEpoch: number("auth", e.epoch().auth); return number("counter", e.epoch().conn);
    case Field::kSender: return number("sender", e.uid.value());
    case Field::kBy: return number("by", e.uid.value());
    case Field::kAbout: return number("about", e.uid.value());
    case Field::kKind: return number("kind", e.number);
    case Field::kPush: return number("push", e.number);
    case Field::kRequest: return number("request", e.number);
    case Field::kConnection: return number("conn", e.number);
    case Field::kCode: return number("code", static_cast<unsigned>(e.code));
    case Field::kVia: return text("via", kVias.at(e.from));
    case Field::kAnswer: return text("answer", kAnswers.at(e.from));
    case Field::kClosedBy: return text("by", kClosers.at(e.from));
    case Field::kStates: text("was", kStates.at(e.from)); return text("is", kStates.at(e.to));
    case Field::kFlags: return put_flags(out, e.flags);
    case Field::kHeads: return put_list(out, history, e, true);
    case Field::kRows: return put_list(out, history, e, false);
  }
}

void take_list(JsonLine& line, std::vector<Item>& list, const ConversationId& conv, bool heads) {
  line.each(heads ? "heads" : "rows", [&](JsonLine& pair) {
    Item item;
    if (heads) {
      item.conv = pair.conv_at(0);
      item.seq = pair.number_at(1);
    } else {
      item.conv = conv;
      item.seq = pair.number_at(0);
      item.cmid = pair.cmid_at(1);
    }
    list.push_back(item);
  });
}

void take(JsonLine& line, Event& e, std::vector<Item>& list, Field field) {
  switch (field) {
    case Field::kCmid: e.cmid = line.cmid("cmid"); break;
    case Field::kConv: e.conv = line.conv("conv"); break;
    case Field::kSeq: e.seq = line.number("seq"); break;
    case Field::kTo: e.seq = line.number("to"); break;
    case Field::kUseq: e.seq = line.number("useq"); break;
    case Field::kCount: e.seq = static_cast<std::uint64_t>(line.signed_number("count")); break;
    case Field::kBase: e.low = line.number("base"); break;
    case Field::kFrom: e.low = line.number("from"); break;
    case Field::kQuoted: e.low = line.number("quote"); break;
    case Field::kSince: e.low = static_cast<std::uint64_t>(line.signed_number("since")); break;
    case Field::kEntry: e.low = line.number("entry"); break;
    case Field::kPhash: e.phash = line.number("phash"); break;
    case Field::kTruncatedTo: e.phash = line.number("truncated_to"); break;
    case Field::kClockSteps: e.phash = line.number("clock_steps"); break;
    case Field::kEpoch:
      e.phash = line.number("auth", UINT32_MAX) << 32 | line.number("counter", UINT32_MAX);
      break;
    case Field::kSender: e.uid = Uid{line.number("sender")}; break;
    case Field::kBy: e.uid = Uid{line.number("by")}; break;
    case Field::kAbout: e.uid = Uid{line.number("about")}; break;
    case Field::kKind: e.number = line.small("kind"); break;
    case Field::kPush: e.number = line.small("push"); break;
    case Field::kRequest: e.number = line.small("request"); break;
    case Field::kConnection: e.number = line.small("conn"); break;
    case Field::kCode: e.code = static_cast<Errc>(line.number("code", UINT16_MAX)); break;
    case Field::kVia: e.from = line.one_of("via", kVias); break;
    case Field::kAnswer: e.from = line.one_of("answer", kAnswers); break;
    case Field::kClosedBy: e.from = line.one_of("by", kClosers); break;
    case Field::kStates:
      e.from = line.one_of("was", kStates);
      e.to = line.one_of("is", kStates);
      break;
    case Field::kFlags:
      for (const Flag& flag : kFlagNames) {
        if (line.is_set(flag.name)) e.flags |= flag.bit;
      }
      break;
    case Field::kHeads: take_list(line, list, e.conv, true); break;
    case Field::kRows: take_list(line, list, e.conv, false); break;
  }
}

std::optional<Ev> event_of(std::string_view name) {
  for (int i = 0; i < kEvents; ++i) {
    if (event_name(static_cast<Ev>(i)) == name) return static_cast<Ev>(i);
  }
  return std::nullopt;
}

/// One line into `history`; false: line.error() says why.
bool take_event(JsonLine& line, History& history, std::uint64_t n) {
  if (line.number("v") != kFileVersion) line.refuse("another version of the format");
  const DeviceKey device = line.device("dev");
  if (n == 1)
    history = History(device);
  else if (device != history.device())
    line.refuse("another device than in the first line");
  if (line.number("n") != n) line.refuse(fmt::format("line {} was expected", n));
  const auto ev = event_of(line.text("ev"));
  if (!ev) {
    line.refuse("no such event");
    return false;
  }
  Event e;
  e.at = line.signed_number("mono");
  e.ev = *ev;
  std::vector<Item> list;
  for (const Field field : fields_of(*ev)) take(line, e, list, field);
  if (!line.error().empty()) return false;
  if (list.empty())
    history.add(e);
  else
    history.add(e, list);
  return true;
}

}  // namespace

std::string event_line(const History& history, const Event& e, std::string_view run,
                       std::uint64_t n) {
  std::string out;
  fmt::format_to(Out(out),
                 "{{\"v\":{},\"run\":\"{}\",\"dev\":\"{}\",\"n\":{},\"mono\":{},\"ev\":\"{}\"",
                 kFileVersion, run, device_text(history.device()), n, e.at, event_name(e.ev));
  for (const Field field : fields_of(e.ev)) put(Out(out), history, e, field);
  out += '}';
  return out;
}

std::string history_file_name(const DeviceKey& device) {
  return "device-" + device_text(device) + ".jsonl";
}

Result<HistoryWriter> HistoryWriter::open(const std::filesystem::path& file, std::string run) {
  // The run's name stands in every line: it must not need escaping.
  if (run.find_first_of("\"\\\n") != std::string::npos) return fail(Errc::kInternal, "run: " + run);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  if (!out) return fail(Errc::kInternal, file.string() + ": " + std::strerror(errno));
  return HistoryWriter(file, std::move(out), std::move(run));
}

Status HistoryWriter::write(History& history) {
  for (const Event& e : history.events()) out_ << event_line(history, e, run_, ++n_) << '\n';
  history.clear();
  if (!out_) return fail(Errc::kInternal, path_.string() + ": " + std::strerror(errno));
  return {};
}

Status HistoryWriter::flush() {
  out_.flush();
  if (!out_) return fail(Errc::kInternal, path_.string() + ": " + std::strerror(errno));
  return {};
}

Result<History> read_history(const std::filesystem::path& file) {
  History history;
  HY_TRY_VOID(each_line(
      file, [&](JsonLine& line, std::uint64_t n) { (void)take_event(line, history, n); }));
  return history;
}

}  // namespace hy::judge
