#pragma once

#include <gtest/gtest.h>

#include <map>

#include "tests/sim/store/sim_workers.h"
#include "tests/unit/das/sim_loop.h"

namespace hy::das {

/// One das on the model store and virtual time: lanes, readers, two people with a conversation.
class ModelBench : public testing::Test, public LaneObserver {
 protected:
  void begin(std::uint64_t seed = 1, sim::StoreFlavour flavour = sim::StoreFlavour::kManyWriters) {
    workers_.reset();
    engine_.reset();
    store_ = std::make_unique<sim::ModelStore>(
        sim::ModelStoreOptions{.flavour = flavour, .seed = seed}, loop_);
    answers_.clear();
    start_das(seed);
    auto session = std::move(*engine_->open_writer());
    const std::vector<NewAccount> two(2);
    const auto made = session->accounts().create(two);
    a_ = *(*made)[0];
    b_ = *(*made)[1];
    conv_ = ConversationId::pair(a_, b_);
    EXPECT_TRUE(session->membership().open_pair(a_, b_).has_value());
  }
  void start_das(std::uint64_t seed, std::size_t lanes = 2) {
    workers_.reset();
    engine_.reset();
    alive_ = true;
    engine_ = std::make_unique<sim::ModelEngine>(*store_, &redis_, loop_, seed,
                                                 [this] { return alive_; });
    WorkerOptions options;
    options.lanes = store_->flavour() == sim::StoreFlavour::kOneWriter ? 1 : lanes;
    workers_ = std::make_unique<sim::SimWorkers>(
        options, sim::StoreLatency{}, *engine_, *engine_, loop_, seed, *this,
        [this](Completion done) {
          for (AppendDone& one : done.appends) {
            EXPECT_FALSE(answers_.contains(one.ticket)) << "answered twice";
            answers_.emplace(one.ticket, std::move(one.answer));
          }
          for (auto& call : done.calls) call->finish();
        },
        [this](std::chrono::nanoseconds delay, sim::SimWorkers::Task task) {
          loop_.schedule(delay, std::move(task));
        });
    workers_->start();
  }
  AppendItem message(std::uint64_t number) const {
    AppendItem out;
    out.conv = conv_;
    out.sender = a_;
    put_be(out.client_msg_id.bytes.data(), number);
    put_be(out.payload_hash.data(), number);
    out.member_version = 1;
    out.body.bytes = "x";
    return out;
  }
  void send(std::uint64_t ticket, AppendItem item, Millis left = Millis{5'000}) {
    std::vector<AppendRequest> requests;
    requests.push_back({{std::move(item), loop_.now() + left}, ticket, loop_.now()});
    Completion refused;
    workers_->offer(std::move(requests), refused);
    for (AppendDone& one : refused.appends) answers_.emplace(one.ticket, std::move(one.answer));
  }
  void send(std::uint64_t number) { send(number, message(number)); }
  Errc code(std::uint64_t ticket) {
    const auto it = answers_.find(ticket);
    if (it == answers_.end()) return Errc::kTimedOut;
    return it->second ? Errc::kOk : it->second.error().code;
  }
  [[nodiscard]] bool is_stored(std::uint64_t number) const {
    const auto log = store_->tables().logs.find(conv_);
    return log != store_->tables().logs.end() &&
           log->second.find(a_, message(number).client_msg_id) != nullptr;
  }
  [[nodiscard]] std::size_t rows() const {
    const auto log = store_->tables().logs.find(conv_);
    return log == store_->tables().logs.end() ? 0 : log->second.rows.size();
  }

  void lane_works(std::size_t) override { ++works_; }
  void lane_failed(std::size_t, const Error& why) override { failures_.push_back(why.code); }
  void batch_done(std::size_t count, bool, std::size_t, std::size_t,
                  std::chrono::nanoseconds) override {
    batches_.push_back(count);
  }
  void waited(std::chrono::nanoseconds) override {}
  void stamped(std::int64_t) override {}
  void resolved(std::size_t unknown) override { resolved_ += unknown; }
  Status look(std::size_t, StoreSession& session) override {
    HY_TRY_VOID(session.facts());
    return {};
  }

  SimLoop loop_;
  sim::ModelRedis redis_;
  std::unique_ptr<sim::ModelStore> store_;
  bool alive_ = true;
  std::unique_ptr<sim::ModelEngine> engine_;
  std::unique_ptr<sim::SimWorkers> workers_;
  Uid a_, b_;
  ConversationId conv_;
  std::map<std::uint64_t, Result<Stored>> answers_;
  std::vector<std::size_t> batches_;
  std::vector<Errc> failures_;
  int works_ = 0;
  std::size_t resolved_ = 0;
};

}  // namespace hy::das
