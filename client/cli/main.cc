#include "client/cli/bench/verbs_bench.h"
#include "client/cli/text_width.h"

int main(int argc, char** argv) {
  hy::cli::use_utf8();
  return hy::cli::run_command_line(argc, argv, {hy::cli::add_bench_verbs});
}
