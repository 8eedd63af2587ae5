#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "client/judge/file/history_file.h"
#include "client/judge/file/json_line.h"

namespace hy::judge {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 4> kHits{"speed", "reach", "store", "cache"};

/// Writes lines; the first error is kept.
class Lines {
 public:
  explicit Lines(const fs::path& file) : path_(file), out_(file, std::ios::binary) {}
  template <class... A>
  void add(fmt::format_string<A...> format, A&&... args) {
    out_ << fmt::format(format, std::forward<A>(args)...) << '\n';
  }
  /// The last line says that the file is whole.
  Status end() {
    add("{{\"t\":\"end\"}}");
    out_.flush();
    if (!out_) return fail(Errc::kInternal, path_.string() + ": " + std::strerror(errno));
    return {};
  }

 private:
  fs::path path_;
  std::ofstream out_;
};

std::string_view bool_text(bool value) {
  return value ? "true" : "false";
}

/// Words in these files are ours and plain; anything else would break a line.
std::string plain(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' '; },
      '?');
  return out;
}

Status write_store(const StoreDump& store, const fs::path& file) {
  Lines out(file);
  for (const ConversationRow& c : store.conversations) {
    out.add(
        "{{\"t\":\"conversation\",\"conv\":\"{}\",\"head\":{},\"kept_from\":{},\"head_ms\":{}}}",
        conv_text(c.conv), c.head, c.kept_from, c.head_ms);
  }
  for (const MessageRow& m : store.messages) {
    out.add(
        "{{\"t\":\"message\",\"conv\":\"{}\",\"seq\":{},\"sender\":{},\"cmid\":\"{}\",\"phash\":{},"
        "\"server_ms\":{},\"countable\":{},\"recalled\":{},\"by_server\":{}}}",
        conv_text(m.conv), m.seq, m.sender.value(), m.cmid.to_hex(), m.phash, m.server_ms,
        bool_text(m.countable), bool_text(m.recalled), bool_text(m.by_server));
  }
  for (const MemberRow& m : store.members) {
    out.add(
        "{{\"t\":\"member\",\"uid\":{},\"conv\":\"{}\",\"join\":{},\"leave\":{},\"read\":{},"
        "\"unread\":{}}}",
        m.uid.value(), conv_text(m.conv), m.join_seq, m.leave_seq, m.read_seq, m.unread);
  }
  for (const StintRow& s : store.stints) {
    out.add("{{\"t\":\"stint\",\"uid\":{},\"conv\":\"{}\",\"from\":{},\"to\":{}}}", s.uid.value(),
            conv_text(s.conv), s.from, s.to);
  }
  for (const DeviceCursorRow& row : store.cursors) {
    out.add("{{\"t\":\"cursor\",\"dev\":\"{}\",\"conv\":\"{}\",\"seq\":{}}}",
            device_text(row.device), conv_text(row.conv), row.seq);
  }
  return out.end();
}

Status write_router(const RouterDump& router, const fs::path& file) {
  Lines out(file);
  out.add("{{\"t\":\"router\",\"name\":\"{}\",\"live\":{}}}", plain(router.name),
          bool_text(router.is_live));
  for (const PlacementRow& row : router.rows) {
    out.add(
        "{{\"t\":\"row\",\"uid\":{},\"slot\":\"{}\",\"device\":{},\"entry\":{},\"auth\":{},"
        "\"counter\":{}}}",
        row.uid.value(), slot_name(row.slot), row.device, row.entry.value(), row.epoch.auth,
        row.epoch.conn);
  }
  return out.end();
}

Status write_entries(const Evidence& evidence, const fs::path& file) {
  Lines out(file);
  for (const EntrySession& s : evidence.sessions) {
    out.add(
        "{{\"t\":\"session\",\"entry\":{},\"uid\":{},\"slot\":\"{}\",\"device\":{},\"auth\":{},"
        "\"counter\":{}}}",
        s.entry.value(), s.uid.value(), slot_name(s.slot), s.device, s.epoch.auth, s.epoch.conn);
  }
  return out.end();
}

Status write_faults(const Evidence& evidence, const fs::path& file) {
  Lines out(file);
  for (const FaultWindow& f : evidence.faults) {
    out.add("{{\"t\":\"fault\",\"kind\":\"{}\",\"from\":{},\"to\":{},\"hits\":\"{}\",\"felt\":{}}}",
            plain(f.kind), f.from, f.to, kHits.at(static_cast<std::size_t>(f.hits)),
            bool_text(f.was_felt));
  }
  for (const CalmWindow& w : evidence.calm)
    out.add("{{\"t\":\"calm\",\"from\":{},\"to\":{}}}", w.from, w.to);
  for (const Revocation& r : evidence.revocations) {
    out.add("{{\"t\":\"revoked\",\"uid\":{},\"slot\":{},\"asked\":{},\"told\":{},\"reach\":{}}}",
            r.uid.value(), static_cast<int>(r.slot), r.asked_at, r.told_at, r.reachable_from);
  }
  out.add("{{\"t\":\"run\",\"healed_at\":{},\"dumped_at\":{}}}", evidence.healed_at,
          evidence.dumped_at);
  return out.end();
}

/// Calls `take(line, t)` for each line; `is_whole`: the file had its end. `take` refuses a word
/// that it does not know.
template <class F>
Status read_lines(const fs::path& file, bool& is_whole, F&& take) {
  is_whole = false;
  return each_line(file, [&](JsonLine& line, std::uint64_t) {
    const std::string t = line.text("t");
    if (t == "end")
      is_whole = true;
    else if (!take(line, t))
      line.refuse("\"" + t + "\" is not known here");
  });
}

Status read_store(const fs::path& file, Evidence& out) {
  StoreDump& store = out.store;
  return read_lines(file, out.has_store, [&](JsonLine& line, std::string_view t) {
    if (t == "conversation") {
      store.conversations.push_back({line.conv("conv"), line.number("head"),
                                     line.number("kept_from"), line.signed_number("head_ms")});
    } else if (t == "message") {
      store.messages.push_back({line.conv("conv"), line.number("seq"), Uid{line.number("sender")},
                                line.cmid("cmid"), line.number("phash"),
                                line.signed_number("server_ms"), line.is_set("countable"),
                                line.is_set("recalled"), line.is_set("by_server")});
    } else if (t == "member") {
      store.members.push_back({Uid{line.number("uid")}, line.conv("conv"), line.number("join"),
                               line.number("leave"), line.number("read"),
                               line.signed_number("unread")});
    } else if (t == "stint") {
      store.stints.push_back(
          {Uid{line.number("uid")}, line.conv("conv"), line.number("from"), line.number("to")});
    } else if (t == "cursor") {
      store.cursors.push_back({line.device("dev"), line.conv("conv"), line.number("seq")});
    } else {
      return false;
    }
    return true;
  });
}

Epoch epoch_of(JsonLine& line) {
  return {line.small("auth"), line.small("counter")};
}
EntryId entry_of(JsonLine& line) {
  return EntryId{static_cast<std::uint16_t>(line.number("entry", UINT16_MAX))};
}

Status read_router(const fs::path& file, Evidence& out, bool& is_whole) {
  RouterDump router;
  HY_TRY_VOID(read_lines(file, is_whole, [&](JsonLine& line, std::string_view t) {
    if (t == "router") {
      router.name = line.text("name");
      router.is_live = line.is_set("live");
    } else if (t == "row") {
      router.rows.push_back({Uid{line.number("uid")}, line.slot("slot"), line.small("device"),
                             entry_of(line), epoch_of(line)});
    } else {
      return false;
    }
    return true;
  }));
  out.routers.push_back(std::move(router));
  return {};
}

Status read_entries(const fs::path& file, Evidence& out, bool& is_whole) {
  return read_lines(file, is_whole, [&](JsonLine& line, std::string_view t) {
    if (t != "session") return false;
    out.sessions.push_back({entry_of(line), Uid{line.number("uid")}, line.slot("slot"),
                            line.small("device"), epoch_of(line)});
    return true;
  });
}

Status read_faults(const fs::path& file, Evidence& out) {
  bool is_whole = false;
  HY_TRY_VOID(read_lines(file, is_whole, [&](JsonLine& line, std::string_view t) {
    if (t == "fault") {
      out.faults.push_back({line.text("kind"), line.signed_number("from"), line.signed_number("to"),
                            static_cast<Hits>(line.one_of("hits", kHits)), line.is_set("felt")});
    } else if (t == "calm") {
      out.calm.push_back({line.signed_number("from"), line.signed_number("to")});
    } else if (t == "revoked") {
      out.revocations.push_back({Uid{line.number("uid")}, static_cast<Slot>(line.small("slot")),
                                 line.signed_number("asked"), line.signed_number("told"),
                                 line.signed_number("reach")});
    } else if (t == "run") {
      out.healed_at = line.signed_number("healed_at");
      out.dumped_at = line.signed_number("dumped_at");
    } else {
      return false;
    }
    return true;
  }));
  if (!is_whole) return fail(Errc::kMalformedBody, file.string() + " has no end");
  return {};
}

}  // namespace

Status write_dumps(const Evidence& evidence, const fs::path& folder) {
  if (evidence.has_store) HY_TRY_VOID(write_store(evidence.store, folder / "store.jsonl"));
  if (evidence.has_placement) {
    for (std::size_t i = 0; i < evidence.routers.size(); ++i) {
      HY_TRY_VOID(
          write_router(evidence.routers[i], folder / fmt::format("router-{}.jsonl", i + 1)));
    }
    HY_TRY_VOID(write_entries(evidence, folder / "entries.jsonl"));
  }
  return write_faults(evidence, folder / "faults.jsonl");
}

Status write_evidence(const Evidence& evidence, const fs::path& folder, std::string_view run) {
  for (const History& history : evidence.histories) {
    HY_TRY(auto writer,
           HistoryWriter::open(folder / history_file_name(history.device()), std::string(run)));
    History copy = history;
    HY_TRY_VOID(writer.write(copy));
    HY_TRY_VOID(writer.flush());
  }
  return write_dumps(evidence, folder);
}

Result<Evidence> read_evidence(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, error)) files.push_back(entry.path());
  if (error) return fail(Errc::kInternal, folder.string() + ": " + error.message());
  std::ranges::sort(files);
  Evidence out;
  bool has_routers = true;
  bool has_entries = false;
  for (const fs::path& file : files) {
    const std::string name = file.filename().string();
    if (!name.ends_with(".jsonl")) continue;
    if (name.starts_with("device-")) {
      HY_TRY(History history, read_history(file));
      out.histories.push_back(std::move(history));
    } else if (name == "store.jsonl") {
      HY_TRY_VOID(read_store(file, out));
    } else if (name.starts_with("router-")) {
      bool is_whole = false;
      HY_TRY_VOID(read_router(file, out, is_whole));
      has_routers = has_routers && is_whole;
    } else if (name == "entries.jsonl") {
      HY_TRY_VOID(read_entries(file, out, has_entries));
    } else if (name == "faults.jsonl") {
      HY_TRY_VOID(read_faults(file, out));
    } else {
      return fail(Errc::kMalformedBody, file.string() + ": no such kind of file");
    }
  }
  out.has_placement = has_entries && has_routers && !out.routers.empty();
  return out;
}

}  // namespace hy::judge
