// Makes a libFuzzer program of the one target that is linked with it.
#include <google/protobuf/stubs/logging.h>

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const hy::fuzz::Target& target = hy::fuzz::targets().front();
  if (size > target.bytes_max) return -1;
  target.run({data, size});
  return 0;
}
