# What runs under a sanitizer without gRPC: the tiers' own code as libraries of their own, because
# Debian's gRPC is not instrumented and drowns ThreadSanitizer in false reports, and because a fuzz
# build has no use for it. Elsewhere they are the tiers' whole libraries, so nothing is built twice.
include_guard(GLOBAL)

function(hy_core_library target folder)
  cmake_parse_arguments(ARG "" "WHOLE" "DIRS;FILES;DEPS" ${ARGN})
  if(NOT HY_SANITIZE)
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE ${ARG_WHOLE})
    return()
  endif()
  set(sources)
  foreach(dir ${ARG_DIRS})
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/${dir}/*.cc)
    list(APPEND sources ${found})
  endforeach()
  foreach(file ${ARG_FILES})
    list(APPEND sources ${CMAKE_SOURCE_DIR}/${folder}/${file})
  endforeach()
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(${target} PRIVATE hy_warnings PUBLIC ${ARG_DEPS})
endfunction()

hy_core_library(hy_entry_cores entry WHOLE hy_entry DIRS session link net FILES metrics.cc
  DEPS hy_base hy_flat hy_flow hy_obs hy_crypto hy_wire hy_net)
hy_core_library(hy_logic_cores logic WHOLE hy_logic DIRS command domain session delivery sync
  FILES metrics.cc password_pool.cc
  DEPS hy_base hy_flat hy_flow hy_obs hy_crypto hy_wire hy_proto_client_v1)
hy_core_library(hy_router_cores router WHOLE hy_router DIRS placement link lease deliver
  DEPS hy_base hy_flat hy_flow hy_obs)
hy_core_library(hy_redis_cores das WHOLE hy_das_mysql
  FILES engines/mysql/redis_connection.cc engines/mysql/redis_cache.cc
  DEPS hy_das_core PkgConfig::hiredis)
