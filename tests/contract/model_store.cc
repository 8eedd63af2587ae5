#include "tests/sim/store/model_store.h"

#include "tests/contract/embedded_store.h"
#include "tests/sim/store/model_engine.h"

/// The simulator's model store is the third subject: that is what makes it worth believing.
namespace hy::das::contract {
namespace {

class ModelTestStore final : public TestStore {
 public:
  explicit ModelTestStore(sim::StoreFlavour flavour) : store_({.flavour = flavour}, clock_) {}
  Result<std::unique_ptr<Engine>> open() override {
    const bool shared = is_shared();
    auto engine =
        std::make_unique<sim::ModelEngine>(store_, shared ? &redis_ : nullptr, clock_, ++opened_);
    HY_TRY_VOID(engine->start());
    return engine;
  }
  [[nodiscard]] bool is_shared() const override {
    return store_.flavour() == sim::StoreFlavour::kManyWriters;
  }
  /// Its rows live in this process's memory.
  [[nodiscard]] bool is_seen_by_children() const override { return false; }
  bool move_clock(Millis by) override {
    clock_.move_wall(by);
    return true;
  }

 private:
  OffsetClock clock_;
  sim::ModelStore store_;
  sim::ModelRedis redis_;
  std::uint64_t opened_ = 0;
};

const bool kRegistered =
    register_store({"ModelMany",
                    [](std::string&) {
                      return std::make_unique<ModelTestStore>(sim::StoreFlavour::kManyWriters);
                    }}) &&
    register_store({"ModelOne", [](std::string&) {
                      return std::make_unique<ModelTestStore>(sim::StoreFlavour::kOneWriter);
                    }});

}  // namespace
}  // namespace hy::das::contract
