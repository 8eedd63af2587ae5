#include "client/cli/profile.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "client/cli/private_folder.h"
#include "common/config/did_you_mean.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

template <class Int>
Int number(std::string_view text) {
  Int out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::vector<std::string> split(const std::string& line, char at) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string piece; std::getline(in, piece, at);) out.push_back(piece);
  return out;
}

/// A name becomes a folder's name: nothing in it may lead elsewhere.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.size() <= 128 && name.find('/') == std::string::npos &&
         !name.starts_with('.');
}

std::string start_time_of(pid_t pid) {
  const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return {};
  const std::size_t after_name = stat->rfind(')');
  if (after_name == std::string::npos) return {};
  constexpr std::size_t kStartTime =
      20;  // field 22 of proc(5), counted from the one after the name
  const auto fields = split(stat->substr(after_name + 1), ' ');
  if (fields.size() <= kStartTime || fields[1] == "Z") return {};  // a zombie runs nothing
  return fields[kStartTime];
}

std::string near_names(const std::string& word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  if (const std::string near = config::did_you_mean(word, views); !near.empty()) {
    return "; near: " + near;
  }
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "; there are: " : ", ") + name;
  return out;
}

}  // namespace

std::string announcement_text(const ClusterLayout& layout, const std::string& name, pid_t pid) {
  std::string out = "name\t" + name + "\npid\t" + std::to_string(pid) + "\nstart\t" +
                    start_time_of(pid) + "\nfolder\t" + layout.folder.string() + "\nserver_key\t" +
                    layout.server_key_hex + "\n";
  for (const DaemonPlace& d : layout.daemons) {
    out += "daemon\t" + d.tier + "\t" + d.letter + "\t" + d.address + "\t" + d.admin + "\n";
  }
  return out;
}

Result<RunningCluster> parse_announcement(const std::string& text) {
  RunningCluster out;
  std::string start;
  for (const std::string& line : split(text, '\n')) {
    const auto f = split(line, '\t');
    if (f.size() < 2) continue;
    if (f[0] == "name") out.name = f[1];
    if (f[0] == "pid") out.pid = number<pid_t>(f[1]);
    if (f[0] == "start") start = f[1];
    if (f[0] == "folder") out.folder = f[1];
    if (f[0] == "server_key") out.server_key_hex = f[1];
    if (f[0] == "daemon" && f.size() == 5) {
      out.daemons.push_back({f[1], f[2], f[3], f[4]});
      if (f[1] == "entry") out.entries.push_back(f[3]);
      if (f[1] == "logic") out.logics.push_back(f[3]);
    }
  }
  if (out.name.empty() || out.pid <= 0 || out.entries.empty()) {
    return fail(Errc::kConfigUnreadable, "not the announcement of a cluster");
  }
  // A pid alone may have been given to another program since.
  if (start.empty() || start_time_of(out.pid) != start) out.pid = -1;
  return out;
}

Result<fs::path> announce(const ClusterLayout& layout, const std::string& name) {
  HY_TRY(const fs::path base, runtime_folder());
  HY_TRY_VOID(make_private(base / "clusters"));
  const fs::path file = base / "clusters" / name;
  HY_TRY_VOID(write_private(file, announcement_text(layout, name, ::getpid())));
  return file;
}

Result<std::vector<RunningCluster>> running_clusters() {
  std::vector<RunningCluster> out;
  HY_TRY(const fs::path base, runtime_folder());
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(base / "clusters", ignored)) {
    const auto text = read_file(entry.path());
    if (!text) continue;
    auto cluster = parse_announcement(*text);
    if (!cluster || cluster->pid <= 0) {
      fs::remove(entry.path(), ignored);
      continue;
    }
    cluster->file = entry.path();
    out.push_back(*std::move(cluster));
  }
  std::ranges::sort(out, {}, &RunningCluster::name);
  return out;
}

Result<RunningCluster> running_cluster(const std::string& name) {
  HY_TRY(auto all, running_clusters());
  if (all.empty()) {
    return fail(Errc::kUnknownProfile,
                "no cluster of yours runs on this host; start one with hy "
                "demo or hy up. Nothing was contacted");
  }
  std::vector<std::string> names;
  for (RunningCluster& cluster : all) {
    if (cluster.name == name || (name.empty() && all.size() == 1)) return std::move(cluster);
    names.push_back(cluster.name);
  }
  if (name.empty()) {
    return fail(Errc::kUnknownProfile,
                "several clusters run; choose one with --profile" + near_names("", names));
  }
  return fail(Errc::kUnknownProfile, "\"" + name + "\" does not exist" + near_names(name, names) +
                                         ". Nothing was contacted");
}

Result<Target> save_profile(const std::string& name, const std::vector<std::string>& entries,
                            const std::string& server_key_hex) {
  const auto key = from_hex(server_key_hex);
  if (!key || key->size() != 32) {
    return fail(Errc::kUsage, "--server-key wants the entries' public key: 64 hex digits");
  }
  if (!is_plain_name(name)) return fail(Errc::kUsage, "\"" + name + "\" is no name for a profile");
  HY_TRY(const fs::path home, home_folder());
  HY_TRY_VOID(make_private(home / "profiles" / name));
  std::string text = "server_key\t" + server_key_hex + "\n";
  for (const std::string& entry : entries) text += "entry\t" + entry + "\n";
  HY_TRY_VOID(write_private(home / "profiles" / name / "profile", text));
  return Target{name, entries, *key, home / "profiles" / name / "people", std::nullopt};
}

Result<Target> find_target(const std::string& profile) {
  const std::string wanted = profile.empty() ? environment("HY_PROFILE") : profile;
  std::vector<std::string> names;
  if (!wanted.empty()) {
    HY_TRY(const fs::path home, home_folder());
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(home / "profiles", ignored)) {
      names.push_back(entry.path().filename().string());
      if (names.back() != wanted) continue;
      HY_TRY(const std::string text, read_file(entry.path() / "profile"));
      Target target{wanted, {}, {}, entry.path() / "people", std::nullopt};
      for (const std::string& line : split(text, '\n')) {
        const auto f = split(line, '\t');
        if (f.size() == 2 && f[0] == "entry") target.entries.push_back(f[1]);
        if (f.size() == 2 && f[0] == "server_key") target.server_key = from_hex(f[1]).value_or("");
      }
      return target;
    }
  }
  auto running = running_cluster(wanted);
  if (!running) {
    if (wanted.empty()) return std::unexpected(running.error());
    HY_TRY(const auto all, running_clusters());
    for (const RunningCluster& c : all) names.push_back(c.name);
    return fail(Errc::kUnknownProfile, "\"" + wanted + "\" does not exist" +
                                           near_names(wanted, names) + ". Nothing was contacted");
  }
  Target target{running->name, running->entries, from_hex(running->server_key_hex).value_or(""),
                running->folder / "people", *std::move(running)};
  return target;
}

Result<OperatorAccess> operator_access(const Target& target) {
  if (!target.running) {
    return fail(Errc::kForbidden,
                "the operator's token is on the cluster's own host: use --logic and --token-file");
  }
  return OperatorAccess{target.running->logics,
                        target.running->folder / "secrets" / "operator.token"};
}

Result<Person> find_person(const Target& target, const std::string& name, Slot slot) {
  Person person;
  person.slot = slot;
  person.name = name.empty() ? environment("HY_USER") : name;
  std::error_code ignored;
  if (person.name.empty()) {
    if (const auto last = read_file(target.people / "last"))
      person.name = split(*last, '\n').front();
  }
  if (person.name.empty()) {
    return fail(Errc::kNotLoggedIn, "nobody is signed in: hy login NAME, or -u NAME in a demo");
  }
  if (!is_plain_name(person.name)) {
    return fail(Errc::kNameInvalid, "\"" + person.name + "\" is no name");
  }
  person.folder = target.people / person.name;
  if (const auto account = read_file(person.folder / "account")) {
    for (const std::string& line : split(*account, '\n')) {
      const auto f = split(line, '\t');
      if (f.size() < 2) continue;
      if (f[0] == "uid") person.uid = Uid{number<std::uint64_t>(f[1])};
      if (f[0] == "password") person.password = f[1];
    }
  }
  const std::string wanted = "token-" + std::string(slot_name(slot));
  if (const auto token = read_file(person.folder / wanted)) {
    person.token = from_hex(split(*token, '\n').front()).value_or("");
  }
  if (person.token.empty() && person.password.empty()) {
    for (const auto& entry : fs::directory_iterator(person.folder, ignored)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with("token-")) continue;
      const auto token = read_file(entry.path());
      if (!token) continue;
      person.token = from_hex(split(*token, '\n').front()).value_or("");
      person.slot = slot_from_name(file.substr(std::string_view("token-").size()));
    }
  }
  if (person.token.empty() && person.password.empty()) {
    return fail(Errc::kNotLoggedIn,
                person.name + " is not signed in here: hy login " + person.name);
  }
  return person;
}

Status keep_person(const Target& target, const Person& person) {
  if (!is_plain_name(person.name)) return fail(Errc::kNameInvalid, person.name);
  const fs::path folder = target.people / person.name;
  HY_TRY_VOID(make_private(target.people));
  HY_TRY_VOID(make_private(folder));
  std::string account = "uid\t" + std::to_string(person.uid.value()) + "\n";
  if (!person.password.empty()) account += "password\t" + person.password + "\n";
  HY_TRY_VOID(write_private(folder / "account", account));
  if (!person.token.empty()) {
    HY_TRY_VOID(write_private(folder / ("token-" + std::string(slot_name(person.slot))),
                              to_hex(as_bytes(person.token)) + "\n"));
    HY_TRY_VOID(write_private(target.people / "last", person.name + "\n"));
  }
  return {};
}

Status forget_person(const Target& target, const std::string& name) {
  if (!is_plain_name(name)) return fail(Errc::kNameInvalid, name);
  std::error_code error;
  fs::remove_all(target.people / name, error);
  if (error) return fail(Errc::kConfigUnreadable, error.message());
  fs::remove(target.people / "last", error);
  return {};
}

hy::ClientOptions sdk_options(const Target& target, const Person& person) {
  hy::ClientOptions out;
  out.store = (person.folder / (std::string(slot_name(person.slot)) + ".db")).string();
  out.entries = target.entries;
  out.server_key = target.server_key;
  out.slot = person.slot;
  return out;
}

Credentials credentials(const Person& person) {
  Credentials out;
  out.name = person.name;
  out.uid = person.uid;
  out.token = person.token;
  if (person.token.empty()) out.password = person.password;
  return out;
}

}  // namespace hy::cli
