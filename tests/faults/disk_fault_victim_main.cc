// A program for the tests of the fault tools: does what its arguments say and tells how it went.
//   write FILE TEXT…   appends each text by write(); prints "ok" or errno's name per text
//   pwrite FILE AT TEXT / sync FILE / truncate FILE SIZE / log TEXT (stderr by fwrite)
//   clock              prints wall and monotonic milliseconds
//   open N             opens /dev/null N times; prints how many worked
// Several groups may follow each other, split by ",". "wait" reads a line of stdin.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

std::map<std::string, int> files;

int file(const std::string& path) {
  const auto [at, is_new] = files.try_emplace(path, -1);
  if (is_new) at->second = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  return at->second;
}

void tell(bool worked) {
  std::printf("%s\n", worked ? "ok" : std::strerror(errno));
  std::fflush(stdout);
}

long long ms(auto since) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

void run(const std::vector<std::string>& words) {
  const std::string& verb = words[0];
  if (verb == "write") {
    const int fd = file(words[1]);
    ::lseek(fd, 0, SEEK_END);
    for (std::size_t i = 2; i < words.size(); ++i)
      tell(::write(fd, words[i].data(), words[i].size()) >= 0);
  } else if (verb == "pwrite") {
    tell(::pwrite(file(words[1]), words[3].data(), words[3].size(), std::atol(words[2].c_str())) >=
         0);
  } else if (verb == "sync") {
    tell(::fsync(file(words[1])) == 0);
  } else if (verb == "truncate") {
    tell(::ftruncate(file(words[1]), std::atol(words[2].c_str())) == 0);
  } else if (verb == "log") {
    tell(std::fwrite(words[1].data(), 1, words[1].size(), stderr) == words[1].size());
  } else if (verb == "clock") {
    std::printf("%lld %lld\n", ms(std::chrono::system_clock::now().time_since_epoch()),
                ms(std::chrono::steady_clock::now().time_since_epoch()));
    std::fflush(stdout);
  } else if (verb == "open") {
    int opened = 0;
    for (int i = 0; i < std::atoi(words[1].c_str()); ++i)
      opened += ::open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0 ? 1 : 0;
    std::printf("%d\n", opened);
    std::fflush(stdout);
  } else if (verb == "wait") {
    if (std::getchar() == EOF) std::exit(0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i <= argc; ++i) {
    if (i < argc && std::strcmp(argv[i], ",") != 0) {
      words.emplace_back(argv[i]);
    } else if (!words.empty()) {
      run(words);
      words.clear();
    }
  }
  return 0;
}
