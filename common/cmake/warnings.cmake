# Warnings are errors in our code; generated code and third-party headers are SYSTEM.
add_library(hy_warnings INTERFACE)
target_compile_options(hy_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Werror)
