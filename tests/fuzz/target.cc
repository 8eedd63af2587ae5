#include "tests/fuzz/target.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace hy::fuzz {
namespace {

std::vector<Target>& registered() {
  static std::vector<Target> all;
  return all;
}

}  // namespace

Registration::Registration(const Target& target) {
  registered().push_back(target);
}

const std::vector<Target>& targets() {
  std::ranges::sort(registered(), {}, &Target::name);
  return registered();
}

void law_broken(const char* what) {
  std::fprintf(stderr, "law broken: %s\n", what);
  std::abort();
}

}  // namespace hy::fuzz
