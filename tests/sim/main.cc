#include "tests/sim/cluster/runner.h"

int main(int argc, char** argv) {
  return hy::sim::run_program(argc, argv);
}
