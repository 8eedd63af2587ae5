#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "common/base/result.h"
#include "entry/session/access_list.h"

namespace hy::entry {

/// The files behind the access lists: read at start, and again when one of them changes (looked at
/// once a second, on a thread of its own, so that a million lines delay nobody). A list with a
/// mistake is refused as a whole and the old one stays in force.
class AccessFiles {
 public:
  using OnList = std::function<void(std::shared_ptr<const AccessList>)>;
  using OnBad = std::function<void(const Error&)>;

  /// Empty paths: no list. The callbacks run on the thread that reads.
  AccessFiles(std::string allow, std::string deny, OnList on_list, OnBad on_bad);

  /// Reads once, on the calling thread, then watches. Errors: kConfigUnreadable, kConfigSyntax.
  Status start();
  void stop();

 private:
  struct Stamp {
    std::int64_t modified_ns = 0;
    std::int64_t size = -1;
    std::uint64_t inode = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  static Stamp stamp_of(const std::string& path);
  static Result<AccessSet> read(const std::string& path);
  [[nodiscard]] Result<std::shared_ptr<const AccessList>> read_both() const;
  void watch(const std::stop_token& stop);

  std::string allow_;
  std::string deny_;
  OnList on_list_;
  OnBad on_bad_;
  Stamp allow_seen_;
  Stamp deny_seen_;
  std::jthread thread_;
};

}  // namespace hy::entry
