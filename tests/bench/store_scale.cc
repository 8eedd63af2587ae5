// How the cost of a store grows with what is in it: appends as a lane makes them, and the reads of
// PULL and SYNC, through the engine seam of das.
//   store_scale --engine embedded --conversations 10000 --checkpoints 10000,100000,1000000
// A checkpoint measures one window of appends after it, then reads at random places.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/random.h"
#include "tests/bench/store_fill.h"
#include "tests/bench/store_rig.h"

namespace {

using namespace hy;

struct Options {
  bench::RigOptions rig;
  std::size_t conversations = 10'000;
  std::vector<std::uint64_t> checkpoints = {10'000, 100'000, 1'000'000};
  std::uint64_t fill = 0;
  std::size_t batch = 200;
  std::size_t window_rows = 100'000;
  std::size_t reads = 2'000;
  std::size_t body_bytes = 100;
  std::string json;         ///< one object a checkpoint is appended here
  bool caches = false;      ///< change counters are raised after each batch, as a lane does
  bool random_ids = false;  ///< client_msg_ids without the time in front, for comparison
};

constexpr int kTriesMax = 5;
constexpr int kReopensMax = 100;

double seconds_between(MonoTime from, MonoTime to) {
  return std::chrono::duration<double>(to - from).count();
}

class Scale {
 public:
  explicit Scale(Options options) : options_(std::move(options)) {}

  Status run() {
    HY_TRY(rig_, bench::StoreRig::open(options_.rig));
    HY_TRY(writer_, rig_->engine().open_writer());
    HY_TRY(reader_, rig_->engine().open_reader());
    HY_TRY_VOID(make_people());
    HY_TRY_VOID(make_conversations());
    const std::uint64_t empty_bytes = rig_->file_bytes();
    HY_TRY_VOID(fill());
    std::printf("%9s %9s | %8s %7s %7s %7s %7s %7s %8s %8s | %7s %7s | %7s %7s | %7s %7s | %7s\n",
                "rows", "convs", "append/s", "us", "cpu us", "server", "p50 ms", "p99 ms",
                "written B", "log B", "page us", "cpu", "tail us", "cpu", "list us", "cpu",
                "file B");
    for (const std::uint64_t rows : options_.checkpoints) {
      while (rows_ < rows) HY_TRY_VOID(append_batch());
      HY_TRY_VOID(measure(empty_bytes));
    }
    if (rolled_back_ > 0 || reopened_ > 0) {
      std::printf("%llu batches rolled back and tried again, %d connections lost\n",
                  static_cast<unsigned long long>(rolled_back_), reopened_);
    }
    return {};
  }

 private:
  /// Each person has up to twenty conversations, so that a list is a list.
  Status make_people() {
    const std::size_t people = std::max<std::size_t>(options_.conversations / 10, 25);
    for (std::size_t made = 0; made < people;) {
      std::vector<das::NewAccount> accounts(std::min<std::size_t>(500, people - made));
      HY_TRY(const auto uids, writer_->accounts().create(accounts));
      for (const auto& uid : uids) {
        if (!uid) return std::unexpected(uid.error());
        people_.push_back(*uid);
      }
      made += accounts.size();
    }
    return {};
  }

  Status make_conversations() {
    const MonoTime began = clock_.now();
    const auto people_of = [this](std::size_t i) {
      return std::pair{people_[i % people_.size()],
                       people_[(i + i / people_.size() + 1) % people_.size()]};
    };
    if (options_.rig.engine == "embedded") {
      std::vector<ConversationId> pairs;
      for (std::size_t i = 0; i < options_.conversations; ++i) {
        const auto [a, b] = people_of(i);
        pairs.push_back(ConversationId::pair(a, b));
      }
      HY_TRY_VOID(bench::make_pairs_embedded(rig_->file(), pairs));
    }
    for (std::size_t i = 0; i < options_.conversations; ++i) {
      const auto [a, b] = people_of(i);
      auto opened = writer_->membership().open_pair(a, b);
      // As below: this program, or the server, was stopped for longer than a connection lives.
      while (!opened && ++reopened_ <= kReopensMax) {
        HY_TRY(writer_, rig_->engine().open_writer());
        opened = writer_->membership().open_pair(a, b);
      }
      HY_TRY(const das::PairFacts facts, std::move(opened));
      writer_->maintain();
      pairs_.push_back({a, b, ConversationId::pair(a, b), facts.member_version});
    }
    const double seconds = seconds_between(began, clock_.now());
    std::printf("%zu people, %zu conversations in %.1f s (%.0f us each)\n", people_.size(),
                pairs_.size(), seconds, seconds * 1e6 / static_cast<double>(pairs_.size()));
    return {};
  }

  /// Rows that the engine did not write, where only what is beside new ones matters.
  Status fill() {
    const std::uint64_t each = options_.fill / pairs_.size();
    if (each == 0) return {};
    if (options_.rig.engine != "embedded")
      return fail(Errc::kUsage, "--fill is for the embedded engine");
    std::vector<ConversationId> conversations;
    for (const Pair& pair : pairs_) conversations.push_back(pair.conv);
    const MonoTime began = clock_.now();
    HY_TRY_VOID(bench::fill_embedded(rig_->file(), conversations, each, options_.body_bytes,
                                     clock_.wall_ms()));
    rows_ = each * pairs_.size();
    std::printf("%llu rows laid down in %.0f s\n", static_cast<unsigned long long>(rows_),
                seconds_between(began, clock_.now()));
    return {};
  }

  das::AppendItem make_item() {
    const Pair& pair = pairs_[random_.below(pairs_.size())];
    das::AppendItem item;
    item.conv = pair.conv;
    item.sender = random_.below(2) == 0 ? pair.a : pair.b;
    random_.fill(item.client_msg_id.bytes);
    if (!options_.random_ids) {
      const auto ms = static_cast<std::uint64_t>(clock_.wall_ms());
      for (std::size_t i = 0; i < 6; ++i) {
        item.client_msg_id.bytes.at(i) = static_cast<std::uint8_t>(ms >> (40 - 8 * i));
      }
    }
    random_.fill(item.payload_hash);
    item.kind = 1;
    item.member_version = pair.version;
    item.body.bytes.resize(options_.body_bytes);
    random_.fill({reinterpret_cast<std::uint8_t*>(item.body.bytes.data()), item.body.bytes.size()});
    return item;
  }

  /// As a lane: grouped by conversation, one transaction, then the engine's housekeeping.
  Status append_batch() {
    std::vector<das::AppendItem> items(options_.batch);
    for (das::AppendItem& item : items) item = make_item();
    std::ranges::sort(items, {}, &das::AppendItem::conv);
    std::vector<const das::AppendItem*> refs;
    for (const das::AppendItem& item : items) refs.push_back(&item);
    const MonoTime began = clock_.now();
    das::FastAppend done = writer_->messages().append_fast(refs);
    // A disk that other programs hold up for seconds: nothing was stored, as a lane it tries again.
    for (int tries = 0; done.result == das::FastResult::kRolledBack && tries < kTriesMax; ++tries) {
      ++rolled_back_;
      done = writer_->messages().append_fast(refs);
    }
    const MonoTime answered = clock_.now();
    if (done.result != das::FastResult::kStored && ++reopened_ <= kReopensMax) {
      // The server ends a connection that said nothing for ten seconds: this program was stopped.
      HY_TRY(writer_, rig_->engine().open_writer());
      return {};
    }
    if (done.result != das::FastResult::kStored) return std::unexpected(done.why);
    if (options_.caches) rig_->engine().cache().committed(done.heads);
    writer_->maintain();
    in_store_ += seconds_between(began, clock_.now());
    answer_ms_.push_back(seconds_between(began, answered) * 1e3);
    rows_ += options_.batch;
    return {};
  }

  struct ReadCost {
    double us = 0;
    double cpu_us = 0;
  };
  template <class Read>
  Result<ReadCost> measure_reads(const Read& read) {
    const bench::StoreCost before = rig_->cost();
    const MonoTime began = clock_.now();
    for (std::size_t i = 0; i < options_.reads; ++i) {
      Status done = read();
      while (!done && ++reopened_ <= kReopensMax) {
        HY_TRY(reader_, rig_->engine().open_reader());
        done = read();
      }
      HY_TRY_VOID(std::move(done));
    }
    const bench::StoreCost after = rig_->cost();
    const auto n = static_cast<double>(options_.reads);
    return ReadCost{
        seconds_between(began, clock_.now()) * 1e6 / n,
        (after.cpu_client - before.cpu_client + after.cpu_server - before.cpu_server) * 1e6 / n};
  }

  Status pull(std::uint32_t last, std::uint64_t from) {
    const Pair& pair = pairs_[random_.below(pairs_.size())];
    das::PullQuery query;
    query.uid = pair.a;
    query.conv = pair.conv;
    query.last = last;
    query.from = Seq{from};
    query.messages_max = 200;
    query.bytes_max = 256 * 1'024;
    HY_TRY(const das::Slice slice, reader_->messages().pull(query));
    seen_ += slice.messages.size();
    return {};
  }

  /// What a device that was away for five messages asks for.
  Status pull_tail() {
    const auto mean = rows_ / pairs_.size();
    return pull(0, mean > 5 ? mean - 5 : 1);
  }

  Status list() {
    das::ListQuery query;
    query.uid = people_[random_.below(people_.size())];
    query.limit = 100;
    query.last_body_bytes_max = 256;
    HY_TRY(const das::ConversationPage page, reader_->membership().list_conversations(query));
    seen_ += page.rows.size();
    return {};
  }

  struct Figures {
    std::uint64_t rows = 0;
    double per_s = 0, us = 0, engine_us = 0, server_us = 0, p50_ms = 0, p99_ms = 0;
    double written = 0, log = 0, file_bytes = 0;
    ReadCost page, tail, list;
  };

  void report(const Figures& f) {
    std::printf(
        "%9llu %9zu | %8.0f %7.1f %7.1f %7.1f %7.2f %7.2f %8.0f %8.0f | %7.0f %7.0f | %7.0f %7.0f "
        "| %7.0f %7.0f | %7.0f\n",
        static_cast<unsigned long long>(f.rows), pairs_.size(), f.per_s, f.us, f.engine_us,
        f.server_us, f.p50_ms, f.p99_ms, f.written, f.log, f.page.us, f.page.cpu_us, f.tail.us,
        f.tail.cpu_us, f.list.us, f.list.cpu_us, f.file_bytes);
    if (options_.json.empty()) return;
    const nlohmann::json object = {{"engine", options_.rig.engine},
                                   {"rows", f.rows},
                                   {"conversations", pairs_.size()},
                                   {"batch", options_.batch},
                                   {"append_us", f.engine_us + f.server_us},
                                   {"engine_us", f.engine_us},
                                   {"server_us", f.server_us},
                                   {"append_per_s", f.per_s},
                                   {"written_bytes", f.written},
                                   {"log_bytes", f.log},
                                   {"page_us", f.page.cpu_us},
                                   {"tail_us", f.tail.cpu_us},
                                   {"list_us", f.list.cpu_us},
                                   {"file_bytes", f.file_bytes}};
    std::ofstream(options_.json, std::ios::app) << object.dump() << '\n';
  }

  Status measure(std::uint64_t empty_bytes) {
    const std::uint64_t at = rows_;
    // A lane's beat keeps its connection; here one was idle while the reads of the last checkpoint
    // ran.
    HY_TRY(writer_, rig_->engine().open_writer());
    answer_ms_.clear();
    in_store_ = 0;
    const double making = cost_of_making();
    const bench::StoreCost before = rig_->cost();
    while (rows_ < at + options_.window_rows) HY_TRY_VOID(append_batch());
    const bench::StoreCost after = rig_->cost();
    const auto n = static_cast<double>(rows_ - at);
    std::ranges::sort(answer_ms_);
    const auto quantile = [&](double q) {
      return answer_ms_[static_cast<std::size_t>(q * static_cast<double>(answer_ms_.size() - 1))];
    };
    Figures out;
    out.rows = at;
    out.per_s = n / in_store_;
    out.us = in_store_ * 1e6 / n;
    out.engine_us = (after.cpu_client - before.cpu_client) * 1e6 / n - making;
    out.server_us = (after.cpu_server - before.cpu_server) * 1e6 / n;
    out.p50_ms = quantile(0.5);
    out.p99_ms = quantile(0.99);
    out.written = static_cast<double>(after.written_bytes - before.written_bytes) / n;
    out.log = static_cast<double>(after.log_bytes - before.log_bytes) / n;
    HY_TRY(out.page, measure_reads([this] { return pull(50, 0); }));
    HY_TRY(out.tail, measure_reads([this] { return pull_tail(); }));
    HY_TRY(out.list, measure_reads([this] { return this->list(); }));
    out.file_bytes =
        static_cast<double>(rig_->file_bytes() - empty_bytes) / static_cast<double>(rows_);
    report(out);
    return {};
  }

  /// CPU in µs that making one item costs this program, to be taken off.
  double cost_of_making() {
    constexpr int kItems = 20'000;
    const MonoTime began = clock_.now();
    for (int i = 0; i < kItems; ++i) seen_ += make_item().body.bytes.size();
    return seconds_between(began, clock_.now()) * 1e6 / kItems;
  }

  struct Pair {
    Uid a, b;
    ConversationId conv;
    std::uint64_t version = 0;
  };

  Options options_;
  SystemClock clock_;
  SeededRandom random_{20'261'121};
  std::unique_ptr<bench::StoreRig> rig_;
  std::unique_ptr<das::StoreSession> writer_;
  std::unique_ptr<das::StoreSession> reader_;
  std::vector<Uid> people_;
  std::vector<Pair> pairs_;
  std::vector<double> answer_ms_;
  double in_store_ = 0;
  std::uint64_t rows_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t rolled_back_ = 0;
  int reopened_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CLI::App app("cost of a store by what is in it");
  app.add_option("--engine", options.rig.engine)->check(CLI::IsMember({"embedded", "mysql"}));
  app.add_option("--conversations", options.conversations)->check(CLI::Range(1, 2'000'000));
  app.add_option("--checkpoints", options.checkpoints, "rows, ascending")->delimiter(',');
  app.add_option("--fill", options.fill, "rows laid down past the engine before the first append");
  app.add_option("--batch", options.batch, "rows a transaction")->check(CLI::Range(1, 256));
  app.add_option("--window", options.window_rows, "rows appended while a checkpoint measures");
  app.add_option("--reads", options.reads, "of each kind at a checkpoint");
  app.add_option("--body", options.body_bytes);
  app.add_option("--folder", options.rig.folder, "where the store is made (default /tmp)");
  app.add_option("--prepare-sql", options.rig.prepare_sql, "run on the empty schema");
  app.add_option("--server-arg", options.rig.server_args, "one more argument of mariadbd");
  app.add_option("--json", options.json, "appends one object a checkpoint to this file");
  app.add_flag("--caches", options.caches,
               "raise change counters after each batch too, as a lane does");
  app.add_flag("--random-ids", options.random_ids,
               "client_msg_ids that do not begin with the time");
  CLI11_PARSE(app, argc, argv);
  const Status done = Scale(options).run();
  if (done) return 0;
  std::printf("%s\n", error_text(done.error().code, done.error().detail).c_str());
  return 1;
}
