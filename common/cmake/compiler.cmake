# Which compiler may build Hongyan, and with which language options.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR
    "g++ ${CMAKE_CXX_COMPILER_VERSION} is refused: it miscompiles coroutines (a co_await inside a "
    "condition, temporaries of aggregates and capturing lambdas destroyed twice; GCC PR 106188 and "
    "PR 99576). Install clang-19 and configure an empty build folder again: "
    "cmake --preset release")
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR
    "Hongyan is built with clang 19 (found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}): "
    "older clang does not see std::expected in libstdc++ 12, other compilers are not proven by "
    "tests/compiler/coroutine_canary.cc. Install clang-19 and use: cmake --preset release")
endif()

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_compile_options(-g1 -fno-omit-frame-pointer -fstack-protector-strong -ftrivial-auto-var-init=zero)
add_link_options(-fuse-ld=lld)
include_directories(${CMAKE_SOURCE_DIR})
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Debian's hardening; the fortified calls need optimisation.
  add_compile_definitions(_FORTIFY_SOURCE=3)
  add_compile_options(-fstack-clash-protection -fcf-protection)
  add_link_options(-Wl,-z,relro,-z,now)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -DHY_DEBUG_CHECKS=1")

find_program(HY_CCACHE ccache)
if(HY_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HY_CCACHE})
endif()
