#include "entry/net/access_files.h"

#include <sys/stat.h>

#include <condition_variable>
#include <fstream>
#include <iterator>
#include <mutex>
#include <utility>

namespace hy::entry {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

}  // namespace

AccessFiles::AccessFiles(std::string allow, std::string deny, OnList on_list, OnBad on_bad)
    : allow_(std::move(allow)),
      deny_(std::move(deny)),
      on_list_(std::move(on_list)),
      on_bad_(std::move(on_bad)) {}

AccessFiles::Stamp AccessFiles::stamp_of(const std::string& path) {
  struct stat found{};
  if (path.empty() || stat(path.c_str(), &found) != 0) return {};
  return {.modified_ns = found.st_mtim.tv_sec * kNanosPerSecond + found.st_mtim.tv_nsec,
          .size = found.st_size,
          .inode = found.st_ino};
}

Result<AccessSet> AccessFiles::read(const std::string& path) {
  if (path.empty()) return AccessSet{};
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(Errc::kConfigUnreadable, path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto set = AccessSet::parse(text);
  if (!set) return fail(set.error().code, path + ": " + set.error().detail);
  return set;
}

Result<std::shared_ptr<const AccessList>> AccessFiles::read_both() const {
  HY_TRY(AccessSet allow, read(allow_));
  HY_TRY(AccessSet deny, read(deny_));
  return std::make_shared<const AccessList>(std::move(allow), std::move(deny));
}

Status AccessFiles::start() {
  if (allow_.empty() && deny_.empty()) return {};
  allow_seen_ = stamp_of(allow_);
  deny_seen_ = stamp_of(deny_);
  HY_TRY(auto list, read_both());
  on_list_(std::move(list));
  thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
  return {};
}

void AccessFiles::stop() {
  thread_ = {};
}

void AccessFiles::watch(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any until_stop;
  std::unique_lock lock(mutex);
  while (!until_stop.wait_for(lock, stop, kLookEvery, [&stop] { return stop.stop_requested(); })) {
    const Stamp allow = stamp_of(allow_);
    const Stamp deny = stamp_of(deny_);
    if (allow == allow_seen_ && deny == deny_seen_) continue;
    allow_seen_ = allow;
    deny_seen_ = deny;
    if (auto list = read_both()) {
      on_list_(*std::move(list));
    } else {
      on_bad_(list.error());
    }
  }
}

}  // namespace hy::entry
