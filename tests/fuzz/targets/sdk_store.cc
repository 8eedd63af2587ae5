// A device's SQLite store after a crash or on a bad disk. A write-ahead log that is torn or flipped
// anywhere gives back the transactions before that place, whole and in order. A database file that
// is damaged gives an error or a state that a device can live with.
#include "client/sdk/store/store.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "client/core/device.h"
#include "common/base/random.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTransactions = 6;
const ConversationId kPair = ConversationId::pair(Uid{1}, Uid{2});

const fs::path& folder() {
  static const struct Folder {
    Folder() {
      // Memory where there is some: each run syncs to disk several times.
      const fs::path base = fs::is_directory("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
      path = base / ("hongyan-fuzz-store-" + std::to_string(::getpid()));
      fs::create_directories(path);
    }
    ~Folder() {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
    fs::path path;
  } kept;
  return kept.path;
}

Bytes read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const fs::path& file, const Bytes& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

ClientMsgId id_of(std::uint64_t n) {
  ClientMsgId id;
  put_be(id.bytes.data(), n);
  return id;
}

/// Transaction n: the device's counter, one row, its conversation, one message to send.
std::vector<client::Write> transaction(std::uint64_t n) {
  client::DeviceRecord device;
  device.uid = Uid{1};
  device.name = "alice";
  device.device_id = "device";
  device.conn_counter = static_cast<std::uint32_t>(n);
  Message row;
  row.conversation = kPair;
  row.seq = Seq{n};
  row.sender = Uid{2};
  row.client_msg_id = id_of(n);
  row.body = "message " + std::to_string(n) + Bytes(300, 'x');
  client::OutboxRecord out;
  out.id = id_of(1'000 + n);
  out.conversation = kPair;
  out.to = Uid{2};
  out.body = "to send " + std::to_string(n);
  out.order = n;
  client::ConversationRecord conversation;
  conversation.conversation = kPair;
  conversation.have = conversation.head = Seq{n};
  return {client::PutDevice{device}, client::PutRow{row}, client::PutConversation{conversation},
          client::PutOutbox{out}};
}

/// Database and log as a crash leaves them: copied while the store is open.
struct Files {
  Bytes database;
  Bytes log;
};

const Files& crashed() {
  static const Files files = [] {
    const fs::path file = folder() / "base.db";
    auto store = client::open_sqlite_store(file.string());
    law(store.has_value(), "a new store opens");
    for (std::uint64_t n = 1; n <= kTransactions; ++n) {
      law((*store)->apply(transaction(n)).has_value(), "a transaction is applied");
    }
    return Files{read_file(file), read_file(file.string() + "-wal")};
  }();
  return files;
}

/// Any state that was read has to be one that the cores can start from.
void live_with(const client::Snapshot& snapshot) {
  SeededRandom random(1);
  const MonoTime now = MonoTime{} + std::chrono::hours(1);
  client::DeviceSettings settings;
  settings.link.entries = {"entry-a"};
  settings.link.server_key = Bytes(32, '\5');
  client::Device device(settings, snapshot, random, now, 1'800'000'000'000);
  client::Turn turn;
  device.login(turn, now, {"alice", Uid{}, Secret("password"), Secret()});
  device.finish(turn, now);
  client::Turn later;
  device.tick(later, now + Millis{60'000});
  device.finish(later, now + Millis{60'000});
}

/// How many transactions the state holds; it has to be a whole number of them.
std::uint64_t check_prefix(client::Store& store, const client::Snapshot& snapshot) {
  const std::uint64_t n = snapshot.device.conn_counter;
  law(n <= kTransactions && snapshot.outbox.size() == n, "transactions come back whole");
  const auto rows = store.rows(kPair, Seq{1}, Seq{100}, 0);
  law(rows && rows->size() == n, "rows come back with their transaction");
  for (std::uint64_t i = 0; i < n; ++i) {
    law((*rows)[i].seq == Seq{i + 1} && snapshot.outbox[i].order == i + 1, "and in order");
  }
  law(n == 0 || snapshot.conversations.at(0).have == Seq{n}, "and with their marks");
  return n;
}

void apply_more(client::Store& store) {
  const auto applied = store.apply(transaction(kTransactions + 1));
  if (!applied) return;
  const auto snapshot = store.load();
  law(!snapshot || snapshot->device.conn_counter == kTransactions + 1,
      "what was applied after a recovery is there");
}

/// First byte: 0 = the log is cut, 1 = the log is flipped, 2 = the database is flipped, 3 = the
/// database is cut. Then positions and values.
void run(ByteView input) {
  Reader reader(input);
  const std::uint8_t what = reader.u8() % 4;
  Files files = crashed();
  Bytes& target = what < 2 ? files.log : files.database;
  std::size_t first = target.size();
  if (what == 0 || what == 3) {
    first = reader.u32() % (target.size() + 1);
    target.resize(first);
  } else {
    for (int n = 0; n < 16 && !reader.empty() && !target.empty(); ++n) {
      const std::size_t at = reader.u32() % target.size();
      const std::uint8_t by = reader.u8();
      if (by != 0) first = std::min(first, at);
      target[at] = static_cast<char>(target[at] ^ by);
    }
  }
  const fs::path file = folder() / "run.db";
  for (const char* end : {"", "-wal", "-shm", ".lock"}) fs::remove(file.string() + end);
  write_file(file, files.database);
  write_file(file.string() + "-wal", files.log);
  {
    auto store = client::open_sqlite_store(file.string());
    if (!store) {
      law(what >= 2, "a torn log alone is no reason not to open");
      return;
    }
    const auto snapshot = (*store)->load();
    if (!snapshot) {
      law(what >= 2, "a torn log alone loses no more than its end");
      return;
    }
    live_with(*snapshot);
    if (what < 2) {
      const std::uint64_t n = check_prefix(**store, *snapshot);
      law(first < crashed().log.size() || n == kTransactions, "nothing is lost without a fault");
    } else {
      (void)(*store)->rows(kPair, Seq{1}, Seq{100}, 0);
    }
    apply_more(**store);
  }
}

Bytes u32_of(std::size_t n) {
  Bytes out(4, '\0');
  put_be(reinterpret_cast<std::uint8_t*>(out.data()), static_cast<std::uint32_t>(n));
  return out;
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const Files& files = crashed();
  out.emplace_back("whole", Bytes{'\0'} + u32_of(files.log.size()));
  for (const std::size_t tenth : {0U, 1U, 3U, 5U, 7U, 9U}) {
    const std::string name = std::to_string(tenth);
    const std::size_t at = files.log.size() * tenth / 10;
    out.emplace_back("log-cut-" + name, Bytes{'\0'} + u32_of(at));
    out.emplace_back("log-flip-" + name, Bytes{'\1'} + u32_of(at) + '\x10');
    const std::size_t in_database = files.database.size() * tenth / 10;
    out.emplace_back("database-cut-" + name, Bytes{'\3'} + u32_of(in_database));
    out.emplace_back("database-flip-" + name, Bytes{'\2'} + u32_of(in_database) + '\x55');
  }
  out.emplace_back("log-frame-edge", Bytes{'\0'} + u32_of(32 + 24 + 4'096));
  out.emplace_back("header-magic", Bytes{'\2'} + u32_of(3) + '\x01');
  return out;
}

HY_FUZZ_TARGET(sdk_store, run, seeds, 128);

}  // namespace
}  // namespace hy::fuzz
