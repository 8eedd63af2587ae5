#include "client/cli/demo/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLinesKept = 200;
constexpr std::size_t kLatenciesKept = 20'000;
constexpr std::size_t kSecondsKept = 60;
constexpr std::size_t kSyncLinesKept = 100;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch())
      .count();
}

std::string sync_line(const LadderEvent& e) {
  using Kind = LadderEvent::Kind;
  switch (e.kind) {
    case Kind::kSyncHint: return "SYNC_HINT";
    case Kind::kSync: return "SYNC" + (e.note.empty() ? "" : " " + e.note);
    case Kind::kPull: return "PULL" + (e.note.empty() ? "" : " " + e.note);
    case Kind::kSyncDone: return "SYNC_DONE";
    default: return {};
  }
}

}  // namespace

std::string clock_text(std::int64_t wall_ms) {
  const std::time_t seconds = wall_ms / 1'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

struct Stage::Actor {
  std::string name;
  Uid uid;
  LinkState state = LinkState::kIdle;
  std::string why;
  std::deque<ChatLine> lines;
  std::deque<std::string> sync_lines;
  MonoTime last_shown{};
  Millis longest_gap{0};
  bool has_shown = false;
  std::unique_ptr<hy::Client> client;
};

Stage::Stage(Cluster& cluster, Options options) : cluster_(cluster), options_(std::move(options)) {}

Result<std::unique_ptr<Stage>> Stage::open(Cluster& cluster, Options options) {
  std::unique_ptr<Stage> stage(new Stage(cluster, std::move(options)));
  HY_TRY_VOID(stage->sign_in());
  return stage;
}

Stage::~Stage() {
  // A client's callbacks lock the stage: end them before anything else goes.
  for (auto& a : actors_) a->client.reset();
}

Status Stage::sign_in() {
  HY_TRY(accounts_, cluster_.add_users(options_.people));
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    auto a = std::make_unique<Actor>();
    a->name = accounts_[i].name;
    a->uid = accounts_[i].uid;
    book_.name(a->uid, a->name);
    std::string store;
    if (!options_.stores.empty()) store = (options_.stores / (a->name + "-phone.db")).string();
    hy::ClientOptions o = cluster_.client_options(i, store);
    o.slot = Slot::kPhone;
    o.device_name = "demo";
    a->client = std::make_unique<hy::Client>(std::move(o));
    attach(*a);
    actors_.push_back(std::move(a));
  }
  for (std::size_t i = 0; i < accounts_.size(); ++i) {
    Credentials c;
    c.name = accounts_[i].name;
    c.uid = accounts_[i].uid;
    c.password = accounts_[i].password;
    const Status in = actors_[i]->client->login(std::move(c), options_.login_within);
    if (!in) return fail(in.error().code, accounts_[i].name + ": " + in.error().detail);
  }
  return {};
}

void Stage::attach(Actor& a) {
  a.client->on_message([this, &a](const Message& m) { message_came(a, m); });
  a.client->on_step(
      [this, &a](const ClientMsgId& id, Step step, Errc, Seq) { step_came(a, id, step); });
  a.client->on_ladder([this, &a](const LadderEvent& e) { ladder_came(a, e); });
  a.client->on_state([this, &a](LinkState state, const std::string& why) {
    const std::lock_guard lock(mutex_);
    a.state = state;
    a.why = why;
    changed_.notify_all();
  });
}

void Stage::message_came(Actor& a, const Message& m) {
  const std::lock_guard lock(mutex_);
  if (m.mine) return;
  const MonoTime now = Clock::now();
  ledger_.sent(m.client_msg_id);  // its sender's own event may come a moment later
  ledger_.shown(a.name, m.conversation, m.seq, m.client_msg_id);
  if (a.has_shown) {
    a.longest_gap = std::max(a.longest_gap, std::chrono::duration_cast<Millis>(now - a.last_shown));
  }
  a.last_shown = now;
  a.has_shown = true;
  if (const auto sent = sent_at_us_.find(m.client_msg_id); sent != sent_at_us_.end()) {
    note_latency(now_us() - sent->second, now);
    sent_at_us_.erase(sent);
  }
  const auto known =
      std::ranges::find_if(a.lines, [&](const ChatLine& l) { return l.id == m.client_msg_id; });
  if (known == a.lines.end()) {
    std::string from = "?";
    for (const Account& account : accounts_) {
      if (account.uid == m.sender) from = account.name;
    }
    const std::string text =
        m.kind == 1 ? printable(m.body) : fmt::format("({} bytes)", m.body.size());
    a.lines.push_back({clock_text(m.server_ms), from, text, m.client_msg_id, Step::kStored, false});
    if (a.lines.size() > kLinesKept) a.lines.pop_front();
  }
  if (shown_) shown_(a.name, m);
  changed_.notify_all();
}

void Stage::step_came(Actor& a, const ClientMsgId& id, Step step) {
  const std::lock_guard lock(mutex_);
  ledger_.sent(id);
  ledger_.step(id, ledger_step(step), Clock::now());
  for (ChatLine& line : a.lines) {
    if (line.id == id) line.step = step;
  }
  changed_.notify_all();
}

void Stage::ladder_came(Actor& a, const LadderEvent& e) {
  const std::lock_guard lock(mutex_);
  book_.add(a.name, e);
  if (e.kind == LadderEvent::Kind::kSend) sent_at_us_.try_emplace(e.client_msg_id, e.at_us);
  if (std::string line = sync_line(e); !line.empty()) {
    a.sync_lines.push_back(std::move(line));
    if (a.sync_lines.size() > kSyncLinesKept) a.sync_lines.pop_front();
  }
  changed_.notify_all();
}

void Stage::note_latency(std::int64_t us, MonoTime now) {
  const double ms = static_cast<double>(us) / 1'000.0;
  latencies_us_.push_back(us);
  if (latencies_us_.size() > kLatenciesKept) latencies_us_.pop_front();
  max_ms_ = std::max(max_ms_, ms);
  ++latency_count_;
  const auto second =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (seconds_.empty() || seconds_.back().first != second) seconds_.emplace_back(second, 0.0);
  seconds_.back().second = std::max(seconds_.back().second, ms);
  if (seconds_.size() > kSecondsKept) seconds_.pop_front();
}

Stage::Actor& Stage::actor(const std::string& who) {
  const auto at = std::ranges::find_if(actors_, [&](const auto& a) { return a->name == who; });
  HY_CHECK(at != actors_.end());
  return **at;
}

hy::Client& Stage::client(const std::string& who) {
  return *actor(who).client;
}

Uid Stage::uid(const std::string& who) const {
  const auto at = std::ranges::find(accounts_, who, &Account::name);
  HY_CHECK(at != accounts_.end());
  return at->uid;
}

Result<Sent> Stage::say(const std::string& from, const std::string& to, Bytes body,
                        std::uint32_t kind) {
  Actor& a = actor(from);
  const std::string text = kind == 1 ? printable(body) : fmt::format("({} bytes)", body.size());
  HY_TRY(Sent sent, a.client->send(uid(to), std::move(body), kind));
  const std::lock_guard lock(mutex_);
  ledger_.sent(sent.id());
  const std::int64_t wall =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  a.lines.push_back({clock_text(wall), "you", text, sent.id(), sent.step(), true});
  if (a.lines.size() > kLinesKept) a.lines.pop_front();
  return sent;
}

bool Stage::wait(Millis within, const std::function<bool()>& condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, condition);
}

bool Stage::watch(Millis within, const std::function<bool()>& condition) {
  constexpr Millis kAskAgain{20};
  const MonoTime deadline = Clock::now() + within;
  while (!condition()) {
    if (Clock::now() >= deadline) return false;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kAskAgain);
  }
  return true;
}

bool Stage::wait_delivered(std::uint64_t count, Millis within) {
  const std::uint64_t target = counts().delivered + count;
  return wait(within, [this, target] { return ledger_.counts().delivered >= target; });
}

bool Stage::settle(Millis within) {
  return wait(within, [this] { return ledger_.is_settled(); });
}

bool Stage::catch_up(Millis within) {
  std::uint64_t target = 0;
  return wait(within, [this, &target] {
    const LedgerCounts c = ledger_.counts();
    if (target == 0) target = c.sent;
    return c.delivered + c.refused >= target;
  });
}

LedgerCounts Stage::counts() {
  const std::lock_guard lock(mutex_);
  return ledger_.counts();
}

LedgerCounts Stage::final_counts() {
  const std::lock_guard lock(mutex_);
  return ledger_.counts(Ledger::Time::max());
}

std::vector<std::string> Stage::faults() {
  constexpr std::size_t kShown = 20;
  const std::lock_guard lock(mutex_);
  return ledger_.faults(kShown, Ledger::Time::max());
}

std::vector<Rung> Stage::rungs_of(const ClientMsgId& id) {
  const std::lock_guard lock(mutex_);
  const Ladder* const ladder = book_.find(id);
  return ladder == nullptr ? std::vector<Rung>() : ladder->rungs();
}

std::vector<Rung> Stage::latest_rungs() {
  const std::lock_guard lock(mutex_);
  const Ladder* const ladder = book_.latest();
  return ladder == nullptr ? std::vector<Rung>() : ladder->rungs();
}

std::string Stage::latest_id() {
  const std::lock_guard lock(mutex_);
  const Ladder* const ladder = book_.latest();
  return ladder == nullptr ? std::string() : ladder->id().to_hex();
}

Latency Stage::latency() {
  std::vector<std::int64_t> sorted;
  Latency out;
  {
    const std::lock_guard lock(mutex_);
    sorted.assign(latencies_us_.begin(), latencies_us_.end());
    out.max_ms = max_ms_;
    out.count = latency_count_;
    for (const auto& [second, ms] : seconds_) out.seconds.push_back(ms);
  }
  if (sorted.empty()) return out;
  const auto at = [&](std::size_t permille) {
    const std::size_t i = std::min(sorted.size() - 1, sorted.size() * permille / 1'000);
    std::ranges::nth_element(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(i));
    return static_cast<double>(sorted[i]) / 1'000.0;
  };
  out.p50_ms = at(500);
  out.p99_ms = at(990);
  return out;
}

std::vector<ChatLine> Stage::lines_of(const std::string& who, std::size_t last) {
  const std::lock_guard lock(mutex_);
  const auto& lines = actor(who).lines;
  const std::size_t from = lines.size() > last ? lines.size() - last : 0;
  return {lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end()};
}

std::string Stage::link_of(const std::string& who) {
  Actor& a = actor(who);
  const std::string entry = a.client->entry();
  const std::lock_guard lock(mutex_);
  std::string out(link_state_name(a.state));
  if (a.state == LinkState::kOnline) {
    const auto entries = cluster_.layout().entry_addresses();
    const auto at = std::ranges::find(entries, entry);
    if (at != entries.end()) {
      return fmt::format("entry {}", static_cast<char>('a' + (at - entries.begin())));
    }
  }
  return a.why.empty() ? out : out + ": " + a.why;
}

std::vector<std::string> Stage::take_sync_lines(const std::string& who) {
  const std::lock_guard lock(mutex_);
  auto& lines = actor(who).sync_lines;
  std::vector<std::string> out(lines.begin(), lines.end());
  lines.clear();
  return out;
}

Millis Stage::take_longest_gap() {
  const std::lock_guard lock(mutex_);
  Millis longest{0};
  const MonoTime now = Clock::now();
  for (auto& a : actors_) {
    if (!a->has_shown) continue;
    longest = std::max(
        {longest, a->longest_gap, std::chrono::duration_cast<Millis>(now - a->last_shown)});
    a->longest_gap = Millis(0);
    a->last_shown = now;
  }
  return longest;
}

void Stage::on_shown(std::function<void(const std::string&, const Message&)> f) {
  const std::lock_guard lock(mutex_);
  shown_ = std::move(f);
}

}  // namespace hy::cli
