#include "tests/contract/embedded_store.h"

#include <unistd.h>

namespace hy::das::contract {

EmbeddedStore::EmbeddedStore() {
  std::string name = (std::filesystem::temp_directory_path() / "hy-contract-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
}

EmbeddedStore::~EmbeddedStore() {
  std::error_code ec;
  std::filesystem::remove_all(folder_, ec);
}

Result<std::unique_ptr<Engine>> EmbeddedStore::open() {
  auto engine = make();
  HY_TRY_VOID(engine->start());
  return engine;
}

std::unique_ptr<embedded::EmbeddedEngine> EmbeddedStore::make(std::uint32_t pages_max) {
  return std::make_unique<embedded::EmbeddedEngine>(
      embedded::EmbeddedOptions{file(), 10'000, pages_max}, clock_);
}

namespace {

const bool kRegistered =
    register_store({"Embedded", [](std::string&) { return std::make_unique<EmbeddedStore>(); }});

}  // namespace
}  // namespace hy::das::contract
