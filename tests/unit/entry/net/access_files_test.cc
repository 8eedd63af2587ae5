#include "entry/net/access_files.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace hy::entry {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("hy-access-" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    const fs::path next = path / (name + ".new");
    std::ofstream(next) << text;
    fs::rename(next, path / name);
    return (path / name).string();
  }
};

/// The latest list, and a way to wait for the next event.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<const AccessList> list;
  int lists = 0;
  int mistakes = 0;

  bool wait(int want_lists, int want_mistakes) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds{20},
                            [&] { return lists >= want_lists && mistakes >= want_mistakes; });
  }
};

TEST(AccessFiles, ReadAgainWhenTheyChangeAndKeptWhenTheyAreWrong) {
  const Folder folder;
  const std::string deny = folder.write("deny", "uid 1\n");
  Heard heard;
  AccessFiles files(
      "", deny,
      [&](std::shared_ptr<const AccessList> list) {
        const std::lock_guard lock(heard.mutex);
        heard.list = std::move(list);
        ++heard.lists;
        heard.changed.notify_all();
      },
      [&](const Error& error) {
        const std::lock_guard lock(heard.mutex);
        EXPECT_EQ(error.code, Errc::kConfigSyntax);
        ++heard.mistakes;
        heard.changed.notify_all();
      });
  ASSERT_TRUE(files.start());
  EXPECT_FALSE(heard.list->admits(Uid{1}));
  EXPECT_TRUE(heard.list->admits(Uid{2}));
  (void)folder.write("deny", "uid 1\nuid 2\n");
  ASSERT_TRUE(heard.wait(2, 0));
  EXPECT_FALSE(heard.list->admits(Uid{2}));
  (void)folder.write("deny", "who is this\n");
  ASSERT_TRUE(heard.wait(2, 1));
  EXPECT_FALSE(heard.list->admits(Uid{2})) << "the last good list stays in force";
  files.stop();
}

TEST(AccessFiles, AMissingOrWrongFileStopsTheStart) {
  const auto none = [](std::shared_ptr<const AccessList>) {};
  const auto bad = [](const Error&) {};
  AccessFiles missing("", "/nonexistent/deny.list", none, bad);
  const Status status = missing.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kConfigUnreadable);
  AccessFiles unset("", "", none, bad);
  EXPECT_TRUE(unset.start());
}

}  // namespace
}  // namespace hy::entry
