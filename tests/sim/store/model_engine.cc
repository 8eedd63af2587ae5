#include "tests/sim/store/model_engine.h"

#include "tests/sim/store/model_session.h"

namespace hy::sim {

ModelEngine::ModelEngine(ModelStore& store, ModelRedis* redis, const Clock& clock,
                         std::uint64_t seed, Alive alive)
    : store_(store),
      own_cache_(redis == nullptr ? std::make_unique<ModelRedis>() : nullptr),
      cache_(redis == nullptr ? *own_cache_ : *redis, clock, seed, alive, spent_),
      alive_(std::move(alive)) {}

ModelEngine::~ModelEngine() {
  const std::scoped_lock guard(store_.mutex_);
  if (owner_) store_.owned_ = false;
}

std::string_view ModelEngine::name() const {
  return store_.flavour() == StoreFlavour::kOneWriter ? "model-one" : "model-many";
}

unsigned ModelEngine::writers_max() const {
  return store_.flavour() == StoreFlavour::kOneWriter ? 1 : 64;
}

Status ModelEngine::start() {
  const std::scoped_lock guard(store_.mutex_);
  return reach();
}

Status ModelEngine::reach() {
  if (!alive_()) return fail(Errc::kStoreDown, "this process is dead");
  if (store_.flavour() == StoreFlavour::kOneWriter && !owner_) {
    if (store_.owned_) return fail(Errc::kStoreLocked, "another das has the file");
    store_.owned_ = owner_ = true;
  }
  if (store_.down_) return fail(Errc::kStoreDown, "the store does not answer", Millis{1'000});
  store_.settle(false);
  return {};
}

Result<std::unique_ptr<das::StoreSession>> ModelEngine::open_writer() {
  const std::scoped_lock guard(store_.mutex_);
  HY_TRY_VOID(reach());
  if (store_.read_only_) return fail(Errc::kStoreDown, "the server is read-only", Millis{1'000});
  if (store_.condemned_) {
    // The file is made sound: frames of a failed COMMIT are there now, or they never will be.
    store_.settle(true);
    store_.condemned_ = false;
  }
  return std::make_unique<ModelSession>(*this, true);
}

Result<std::unique_ptr<das::StoreSession>> ModelEngine::open_reader() {
  const std::scoped_lock guard(store_.mutex_);
  HY_TRY_VOID(reach());
  if (store_.condemned_) return fail(Errc::kStoreDown, "the writer is not ready");
  return std::make_unique<ModelSession>(*this, false);
}

std::chrono::nanoseconds ModelEngine::take_spent() {
  return std::exchange(spent_, std::chrono::nanoseconds{0});
}

}  // namespace hy::sim
