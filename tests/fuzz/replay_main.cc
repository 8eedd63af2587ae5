// Runs the corpora of all fuzz targets, and seeded mutations of each file, without libFuzzer: the
// form in which the targets run in ordinary builds and under sanitizers in every test run.
//
//   fuzz_replay [--target NAME] [--mutations N] [--seed S] [--file FILE]
//   fuzz_replay --mutant N ...       with a hand-made bug on (common/base/test_hooks.h): some
//   target
//                                    has to end with a broken law, or the laws are worth little
//   fuzz_replay --write-seeds        writes tests/fuzz/corpus from the targets' own generators
#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>

#include "common/base/random.h"
#include "common/base/test_hooks.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCorpusFilesMax = 60;
const std::string kLastPrefix = "hongyan-fuzz-last-";

struct Options {
  std::string target;
  std::string file;
  std::size_t mutations = 200;
  std::uint64_t seed = 1;
  int mutant = 0;
  bool write_seeds = false;
};

/// The input that runs now, in a file that outlives a crash: it is what repeats the crash.
class LastInput {
 public:
  explicit LastInput(const fs::path& file) : file_(file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || ::ftruncate(fd, kBytes) != 0) return;
    void* at = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at != MAP_FAILED) memory_ = static_cast<std::uint8_t*>(at);
  }
  ~LastInput() {
    if (memory_ != nullptr) ::munmap(memory_, kBytes);
    std::error_code ignored;
    fs::remove(file_, ignored);
  }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;
  void set(ByteView input) {
    if (memory_ == nullptr) return;
    const std::size_t size = std::min(input.size(), kBytes - 8);
    put_be<std::uint64_t>(memory_, size);
    if (size > 0) std::memcpy(memory_ + 8, input.data(), size);
  }

 private:
  static constexpr std::size_t kBytes = 1 << 20;
  fs::path file_;
  std::uint8_t* memory_ = nullptr;
};

std::string last_name(std::string_view target) {
  return kLastPrefix + std::string(target) + "-" + std::to_string(::getpid());
}

Bytes read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Seed> corpus_of(const Target& target) {
  std::vector<Seed> out;
  const fs::path folder = fs::path(HY_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    if (file.is_regular_file())
      out.emplace_back(file.path().filename().string(), read_file(file.path()));
  }
  std::ranges::sort(out);
  return out;
}

/// The mutations that find most: flips, interesting bytes, cut, repeat, insert, splice.
void mutate(Bytes& bytes, const std::vector<Seed>& corpus, SeededRandom& random,
            std::size_t bytes_max) {
  static constexpr char kInteresting[] = {'\x00', '\x01', '\x7f', '\x80', '\xff', '\n', '"', '='};
  for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
    const auto at = static_cast<std::size_t>(bytes.empty() ? 0 : random.below(bytes.size()));
    const auto span = static_cast<std::size_t>(1 + random.below(16));
    switch (bytes.empty() ? 5 : random.below(7)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8))); break;
      case 1: bytes[at] = kInteresting[random.below(sizeof kInteresting)]; break;
      case 2: bytes[at] = static_cast<char>(random.next()); break;
      case 3: bytes.resize(at); break;
      case 4: bytes.insert(at, bytes.substr(at, span)); break;
      case 5: bytes.insert(at, span, static_cast<char>(random.next())); break;
      default: {
        const Bytes& other = corpus[random.below(corpus.size())].second;
        bytes = bytes.substr(0, at) + other.substr(std::min(at, other.size()));
      }
    }
  }
  if (bytes.size() > bytes_max) bytes.resize(bytes_max);
}

int write_seeds(const Options& options) {
  for (const Target& target : targets()) {
    if (!options.target.empty() && target.name != options.target) continue;
    const fs::path folder = fs::path(HY_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
    fs::create_directories(folder);
    const auto seeds = target.seeds();
    for (const auto& [name, bytes] : seeds) {
      std::ofstream(folder / name, std::ios::binary | std::ios::trunc) << bytes;
    }
    std::printf("%-16s %3zu seeds\n", std::string(target.name).c_str(), seeds.size());
  }
  return 0;
}

/// Runs one target; the number of inputs. 0: its corpus is missing, or too large to be reviewed.
std::size_t replay(const Target& target, const Options& options, LastInput& last) {
  const auto corpus = corpus_of(target);
  if (corpus.empty() || corpus.size() > kCorpusFilesMax) {
    std::printf("%-16s has %zu files in its corpus, expected 1 to %zu\n",
                std::string(target.name).c_str(), corpus.size(), kCorpusFilesMax);
    return 0;
  }
  SeededRandom random(options.seed);
  std::size_t runs = 0;
  const auto run = [&](const Bytes& input) {
    last.set(as_bytes(input));
    // An exact heap copy: one byte read beyond it is a report of the sanitizer.
    const std::vector<std::uint8_t> exact(input.begin(), input.end());
    target.run(exact);
    ++runs;
  };
  run({});
  for (const auto& [name, bytes] : corpus) {
    run(bytes.substr(0, target.bytes_max));
    for (std::size_t i = 0; i < options.mutations; ++i) {
      Bytes mutated = bytes;
      mutate(mutated, corpus, random, target.bytes_max);
      run(mutated);
    }
  }
  return runs;
}

/// A file of the corpus, or the one that a crash left behind (size u64, then the input).
int run_file(const Options& options) {
  const auto target = std::ranges::find(targets(), options.target, &Target::name);
  if (target == targets().end()) {
    std::puts("--file needs --target");
    return 2;
  }
  Bytes input = read_file(options.file);
  if (options.file.find(kLastPrefix) != std::string::npos && input.size() >= 8) {
    const auto size = get_be<std::uint64_t>(as_bytes(input).data());
    input = input.substr(8, static_cast<std::size_t>(size));
  }
  target->run(as_bytes(input));
  std::printf("%s: %zu bytes, no law broken\n", options.target.c_str(), input.size());
  return 0;
}

int replay_all(const Options& options) {
  std::size_t all = 0;
  bool is_complete = true;
  const fs::path folder = fs::temp_directory_path();
  std::printf("an input that ends the process is left as %s: repeat with --target and --file\n",
              (folder / last_name("TARGET")).c_str());
  for (const Target& target : targets()) {
    if (!options.target.empty() && target.name != options.target) continue;
    const auto start = std::chrono::steady_clock::now();
    std::size_t runs = 0;
    {
      LastInput last(folder / last_name(target.name));
      std::printf("%-16s", std::string(target.name).c_str());
      std::fflush(stdout);  // a process that ends here names the target
      runs = replay(target, options, last);
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("%8zu inputs in %.1f s\n", runs, took.count());
    is_complete = is_complete && runs > 0;
    all += runs;
  }
  std::printf("%zu inputs, no law broken\n", all);
  return is_complete && all > 0 ? 0 : 1;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--write-seeds") {
      options.write_seeds = true;
      continue;
    }
    if (i + 1 == argc) return std::nullopt;
    const std::string value = argv[++i];
    if (flag == "--target")
      options.target = value;
    else if (flag == "--file")
      options.file = value;
    else if (flag == "--mutations")
      options.mutations = std::stoul(value);
    else if (flag == "--mutant")
      options.mutant = std::stoi(value);
    else if (flag == "--seed")
      options.seed = std::stoull(value);
    else
      return std::nullopt;
  }
  return options;
}

}  // namespace
}  // namespace hy::fuzz

int main(int argc, char** argv) {
  const auto options = hy::fuzz::parse(argc, argv);
  if (!options) {
    std::puts(
        "fuzz_replay [--target NAME] [--mutations N] [--seed S] [--mutant N] [--file FILE] "
        "[--write-seeds]");
    return 2;
  }
  google::protobuf::SetLogHandler(nullptr);
#if defined(HY_TEST_HOOKS)
  hy::set_mutant(static_cast<hy::Mutant>(options->mutant));
#endif
  if (options->write_seeds) return hy::fuzz::write_seeds(*options);
  if (!options->file.empty()) return hy::fuzz::run_file(*options);
  return hy::fuzz::replay_all(*options);
}
