# hy_proto(NAME DEPS...): one library hy_proto_<NAME>_v1 from proto/hy/<NAME>/v1/*.proto.
function(hy_proto name)
  file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/hy/${name}/v1/*.proto)
  set(out ${CMAKE_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${out})
  set(generated)
  foreach(proto ${protos})
    file(RELATIVE_PATH rel ${CMAKE_SOURCE_DIR}/proto ${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${rel})
    add_custom_command(
      OUTPUT ${out}/${stem}.pb.cc ${out}/${stem}.pb.h
      COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/proto --cpp_out=${out} ${rel}
      DEPENDS ${proto} VERBATIM)
    list(APPEND generated ${out}/${stem}.pb.cc)
  endforeach()
  add_library(hy_proto_${name}_v1 STATIC ${generated})
  target_include_directories(hy_proto_${name}_v1 SYSTEM PUBLIC ${out})
  target_compile_options(hy_proto_${name}_v1 PRIVATE -w)
  target_link_libraries(hy_proto_${name}_v1 PUBLIC protobuf::libprotobuf)
  foreach(dep ${ARGN})
    target_link_libraries(hy_proto_${name}_v1 PUBLIC hy_proto_${dep}_v1)
  endforeach()
endfunction()
