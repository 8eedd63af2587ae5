# The daemons' allocator: docs/decisions/0008-allocator.md. Sanitizers bring their own.
if(NOT HY_SANITIZE)
  find_library(HY_TCMALLOC tcmalloc_minimal REQUIRED)
endif()

# hy_daemon(NAME SOURCE DEPS...): a program that serves for weeks.
function(hy_daemon name source)
  hy_program(${name} ${source} ${ARGN})
  if(HY_TCMALLOC)
    # It replaces malloc by being loaded; no symbol of it is named anywhere.
    target_link_libraries(${name} PRIVATE ${HY_TCMALLOC})
  endif()
endfunction()
