#include "client/cli/text_width.h"
#include "client/cli/verbs.h"

int main(int argc, char** argv) {
  hy::cli::use_utf8();
  return hy::cli::run_command_line(argc, argv);
}
