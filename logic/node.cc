#include "logic/node.h"

#include <mutex>

#include "common/obs/log.h"
#include "common/obs/metrics.h"
#include "common/rpc/stream.h"
#include "logic/command/block.h"
#include "logic/command/dispatcher.h"
#include "logic/command/group.h"
#include "logic/command/history.h"
#include "logic/command/login.h"
#include "logic/command/message_state.h"
#include "logic/command/ping.h"
#include "logic/command/pull.h"
#include "logic/command/read.h"
#include "logic/command/recents.h"
#include "logic/command/send_message.h"
#include "logic/command/sync.h"
#include "logic/command/user_lookup.h"
#include "logic/config.h"
#include "logic/delivery/group_send.h"
#include "logic/delivery/receipts.h"
#include "logic/delivery/send_pipeline.h"
#include "logic/delivery/store_return.h"
#include "logic/metrics.h"
#include "logic/rpc/admin_service.h"
#include "logic/rpc/das_client.h"
#include "logic/rpc/entry_service.h"
#include "logic/rpc/hello.h"
#include "logic/rpc/router_client.h"

namespace hy::logic {
namespace {

constexpr Millis kLookMin{10};  // between two looks at what was not answered in time
constexpr Millis kHousekeeping{50};
constexpr Millis kLookUpWithin{1'000};
constexpr std::size_t kHelloBytes = 64;
constexpr std::string_view kEntryMethod = "/hy.logic.v1.EntryStream/Session";
constexpr std::string_view kAdminMethod = "/hy.logic.v1.Admin/Call";
constexpr std::string_view kDasMethod = "/hy.das.v1.LogicStream/Data";
constexpr std::string_view kRouterMethod = "/hy.router.v1.LogicStream/Deliver";

std::vector<std::string> names_of(config::Role role, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(std::string(config::role_name(role)) + "-" +
                  config::instance_name(static_cast<std::uint32_t>(i)));
  }
  return out;
}

rpc::TlsFiles tls_of(const config::Values& values) {
  return {values.text("tls.ca"), values.text("tls.certificate"), values.text("tls.key")};
}

/// The loop's time: one read of the clock a turn serves all that follows from what came in it. What
/// measures how long work waits within a turn (the dispatcher) reads the real one.
class TurnClock final : public Clock {
 public:
  TurnClock(const rpc::Loop& loop, const Clock& wall) : loop_(loop), wall_(wall) {}
  [[nodiscard]] MonoTime now() const override { return loop_.now(); }
  [[nodiscard]] std::int64_t wall_ms() const override { return wall_.wall_ms(); }

 private:
  const rpc::Loop& loop_;
  const Clock& wall_;
};

/// One peer's stream events, given to the client that serves all peers of the tier.
template <class Owner, class Out, class In>
class Link final : public rpc::ClientEvents<Out, In> {
 public:
  Link(Owner& owner, std::size_t number, std::string peer, std::string instance,
       std::uint64_t incarnation)
      : owner_(owner),
        number_(number),
        peer_(std::move(peer)),
        instance_(std::move(instance)),
        incarnation_(incarnation) {}

  void on_up(rpc::Stream<Out> stream) override {
    log::info("peer_up", {{"peer", peer_}});
    fill_hello(instance_, incarnation_, *stream.next().mutable_hello());
    stream.queued(kHelloBytes);
    owner_.on_up(number_, stream);
  }
  void on_batch(In& batch) override { owner_.on_batch(number_, batch); }
  void on_down(const std::string& why) override {
    log::warn("peer_down", {{"peer", peer_}, {"why", why}});
    owner_.on_down(number_);
  }

 private:
  Owner& owner_;
  std::size_t number_;
  std::string peer_;
  std::string instance_;
  std::uint64_t incarnation_;
};
using DasLink = Link<DasClient, das::v1::DataBatch, das::v1::DataAnswerBatch>;
using RouterLink = Link<RouterClient, router::v1::LogicBatch, router::v1::RouterAnswerBatch>;

}  // namespace

struct Node::Impl {
  Impl(const config::Start& from, const Clock& its_clock, Random& its_random,
       obs::Registry& registry, const MakePasswords& make_passwords);

  Status open();
  void turn_end();
  void look_at_deliveries();
  void look_at_peers();
  [[nodiscard]] std::size_t size(std::string_view key) const {
    return static_cast<std::size_t>(start.values.integer(key));
  }
  [[nodiscard]] std::chrono::seconds seconds(std::string_view key) const {
    return std::chrono::duration_cast<std::chrono::seconds>(start.values.duration(key));
  }
  template <class LinkType, class Owner>
  void dial(config::Role role, std::string_view method, Owner& owner,
            std::vector<std::unique_ptr<LinkType>>& links);

  const config::Start& start;
  const Clock& clock;
  Random& random;
  const std::uint64_t incarnation;
  Metrics metrics;
  // Whatever holds an open command (loop, ports, cores) is destroyed before these two.
  EntryService entries;
  SessionFifo fifo;
  rpc::Loop loop;
  const TurnClock turn_clock;
  std::unique_ptr<PasswordPort> passwords;

  // Outward.
  DasClient das;
  RouterClient router;

  // Cores.
  Deliverer deliverer;
  TraceRing trace;
  PairFactsCache facts;
  GroupFactsCache group_facts;
  GroupDirectory directory;
  Rates rates;
  Relay relay;
  StoreReturn store_return;
  Receipts receipts;
  SendPipeline pipeline;
  GroupSend group_send;
  AuthFence fence;
  ChangeCounters counters;
  Grants grants;
  TokenDesk tokens;

  // Commands.
  Login login;
  Ping ping;
  SendMessage send_message;
  Read read;
  MessageState message_state;
  Sync sync;
  Pull pull;
  History history;
  Recents recents;
  UserLookup user_lookup;
  Block block;
  GroupCommands group_commands;

  // Inward.
  AdminService admin_calls;
  Dispatcher dispatcher;

  std::vector<std::unique_ptr<DasLink>> das_links;
  std::vector<std::unique_ptr<RouterLink>> router_links;
  std::vector<std::unique_ptr<rpc::Client>> clients;
  std::unique_ptr<rpc::Server> server;

  bool look_asked = false;

  std::mutex missing_mutex;
  std::vector<std::string> missing_now;  ///< guarded; read by the admin thread
};

Node::Impl::Impl(const config::Start& from, const Clock& its_clock, Random& its_random,
                 obs::Registry& registry, const MakePasswords& make_passwords)
    : start(from),
      clock(its_clock),
      random(its_random),
      incarnation(static_cast<std::uint64_t>(clock.wall_ms())),
      metrics(registry),
      entries(clock, metrics,
              {start.instance(), incarnation, start.values.duration("logic.deadline")}),
      fifo(size("logic.session_queue")),
      turn_clock(loop, clock),
      passwords(make_passwords(
          [this](std::move_only_function<void()> task) { loop.post(std::move(task)); })),
      das(names_of(config::Role::kDas, start.peers(config::Role::kDas).size()), turn_clock, metrics,
          {.call_within = start.values.duration("logic.das_deadline"),
           .retry_credit_max = static_cast<std::uint32_t>(size("logic.das_retries"))}),
      router(names_of(config::Role::kRouter, start.peers(config::Role::kRouter).size())),
      deliverer(router, turn_clock, metrics, {}),
      trace(size("logic.trace_messages")),
      facts(size("logic.pairs_cached")),
      group_facts(size("logic.group_members_cached")),
      directory(das, group_facts, turn_clock),
      rates(rate_limits(start.values), size("logic.rate_users"), size("logic.rate_groups")),
      relay(deliverer, facts, turn_clock,
            {.recheck_after = start.values.duration("logic.recheck_after")}),
      store_return(deliverer, turn_clock, {}),
      receipts(deliverer, trace, directory, turn_clock, size("logic.receipts_up_to")),
      pipeline(
          {das, das, deliverer, relay, store_return, facts, trace, rates, turn_clock, metrics}),
      group_send(
          {das, directory, deliverer, relay, store_return, trace, rates, turn_clock, metrics},
          static_cast<std::uint32_t>(size("logic.receipts_up_to"))),
      fence(das, turn_clock, {}),
      counters(das, turn_clock, kLookUpWithin),
      grants(start.values.secret("logic.token_key"), seconds("logic.grant_life")),
      tokens(start.values.secret("logic.token_key"), start.topology.cluster, random),
      login({das, *passwords, router, das, fence, counters, grants, tokens, clock, metrics},
            {.heartbeat_phone = start.values.duration("logic.heartbeat_phone"),
             .heartbeat_other = start.values.duration("logic.heartbeat"),
             .storm_window = start.values.duration("logic.storm_window"),
             .session_token_life = seconds("logic.session_token_life"),
             .entries = start.peers(config::Role::kEntry)}),
      ping(counters, das, deliverer, clock, {}),
      send_message(pipeline, group_send, metrics),
      read(das, deliverer, receipts, clock),
      message_state(das),
      sync(das),
      pull(das),
      history(das),
      recents(das),
      user_lookup(das),
      block(das, facts, clock),
      group_commands(das, directory, deliverer, turn_clock,
                     {static_cast<std::uint32_t>(size("logic.group_members_max"))}),
      admin_calls({das, *passwords, router, fence, tokens, trace, clock, metrics},
                  {.instance = start.instance(),
                   .incarnation = incarnation,
                   .operator_token = start.values.secret("logic.operator_token")}),
      dispatcher({entries, grants, rates, fence, fifo, clock, metrics},
                 {login, ping, send_message, read, message_state, sync, pull, history, recents,
                  user_lookup, block, group_commands},
                 {start.values.duration("logic.queue_wait")}) {
  router.connect(deliverer);
  das.on_store_back([this] { store_return.returned(); });
  entries.connect(dispatcher, receipts);
  for (const std::string_view method : {kEntryMethod, kDasMethod, kRouterMethod})
    loop.show_traffic(std::string(method), registry);
}

// Answers may come from inside a call (no das is up) and start the next command of a session, which
// asks again: a few rounds, the rest waits for the next turn.
void Node::Impl::turn_end() {
  constexpr int kRounds = 3;
  for (int i = 0; i < kRounds; ++i) {
    fence.flush();
    counters.flush();
  }
  receipts.flush();
  look_at_deliveries();
}

/// A timer only while something is under way: an idle logic sleeps.
void Node::Impl::look_at_deliveries() {
  if (look_asked) return;
  const auto due = deliverer.due();
  if (!due) return;
  look_asked = true;
  const Millis wait = std::chrono::ceil<Millis>(*due - loop.now());
  loop.after(std::max(wait, kLookMin), [this] {
    look_asked = false;
    deliverer.tick();
  });
}

void Node::Impl::look_at_peers() {
  std::vector<std::string> now = das.missing();
  for (std::string& name : router.missing()) now.push_back(std::move(name));
  const std::lock_guard lock(missing_mutex);
  missing_now = std::move(now);
}

template <class LinkType, class Owner>
void Node::Impl::dial(config::Role role, std::string_view method, Owner& owner,
                      std::vector<std::unique_ptr<LinkType>>& links) {
  const std::vector<std::string>& addresses = start.peers(role);
  const std::vector<std::string> names = names_of(role, addresses.size());
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    links.push_back(std::make_unique<LinkType>(owner, i, names[i], start.instance(), incarnation));
    rpc::ClientOptions options;
    options.target = addresses[i];
    options.method = std::string(method);
    // As its certificate names it: …/das/a.
    options.peer_name = config::instance_name(static_cast<std::uint32_t>(i));
    options.peer_role = std::string(config::role_name(role));
    options.tls = tls_of(start.values);
    clients.push_back(std::make_unique<rpc::Client>(loop, std::move(options), *links.back()));
  }
}

Status Node::Impl::open() {
  HY_TRY_VOID(check_together(start.values));
  dial(config::Role::kDas, kDasMethod, das, das_links);
  dial(config::Role::kRouter, kRouterMethod, router, router_links);
  rpc::ServerOptions options;
  options.listen = {start.address};
  options.tls = tls_of(start.values);
  options.insecure_peers = start.values.flag("logic.insecure_peers");
  server = std::make_unique<rpc::Server>(loop, std::move(options));
  server->serve_with<rpc::Handler<EntryService::Out, EntryService::In>, EntryService::Out>(
      std::string(kEntryMethod), {"entry"},
      [this](rpc::Stream<EntryService::Out> stream) { return entries.make_handler(stream); });
  server->serve_with<rpc::Handler<AdminService::Out, AdminService::In>, AdminService::Out>(
      std::string(kAdminMethod), {"admin"},
      [this](rpc::Stream<AdminService::Out> stream) { return admin_calls.make_handler(stream); });
  loop.at_turn_end([this] { turn_end(); });
  loop.every(kHousekeeping, [this] {
    das.tick();
    store_return.look();
    look_at_peers();
  });
  look_at_peers();
  HY_TRY_VOID(server->start());
  for (const auto& client : clients) client->start();
  return {};
}

Node::Node(const config::Start& start, const Clock& clock, Random& random, obs::Registry& registry,
           const MakePasswords& make_passwords)
    : impl_(std::make_unique<Impl>(start, clock, random, registry, make_passwords)) {}

Node::~Node() = default;

Status Node::open() {
  return impl_->open();
}

void Node::goodbye() {
  impl_->entries.say_goodbye();
}

std::size_t Node::in_flight() const {
  return impl_->entries.in_flight();
}

void Node::shut() {
  impl_->server->shutdown();
  for (const auto& client : impl_->clients) client->stop();
}

void Node::close() {
  impl_->fifo.close();
}

rpc::Loop& Node::loop() {
  return impl_->loop;
}

int Node::port() const {
  return impl_->server->ports().empty() ? 0 : impl_->server->ports().front();
}

std::vector<std::string> Node::missing() const {
  const std::lock_guard lock(impl_->missing_mutex);
  return impl_->missing_now;
}

}  // namespace hy::logic
