# hy_migrations(ENGINE): das/engines/<ENGINE>/schema/NNNN_name.sql become one source file that defines
# hy::das::<ENGINE>::kMigrations (declared in das/engines/<ENGINE>/migrations.h), so that no binary
# can be separated from its schema. Appends the file's path to the variable hy_migrations_<ENGINE>.
function(hy_migrations engine)
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/engines/${engine}/schema)
  file(GLOB steps CONFIGURE_DEPENDS ${folder}/*.sql)
  list(SORT steps)
  set(rows "")
  set(version 0)
  foreach(step ${steps})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${step})
    math(EXPR version "${version} + 1")
    get_filename_component(name ${step} NAME_WE)
    string(REGEX MATCH "^0*([0-9]+)_" number ${name})
    if(NOT CMAKE_MATCH_1 EQUAL version)
      message(FATAL_ERROR "${step}: expected step number ${version}")
    endif()
    file(READ ${step} sql)
    file(SHA256 ${step} sum)
    string(APPEND rows "    {${version}, \"${name}\", \"${sum}\", R\"hysql(${sql})hysql\"},\n")
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${engine}_migrations.cc)
  if(version EQUAL 0)
    set(text "")
  else()
    # One quoted argument: SQL is full of semicolons, which a list would swallow.
    string(CONCAT text "#include \"das/engines/${engine}/migrations.h\"

namespace hy::das::${engine} {
namespace {
constexpr Migration kSteps[] = {
${rows}};
}  // namespace
const std::span<const Migration> kMigrations = kSteps;
}  // namespace hy::das::${engine}
")
  endif()
  file(CONFIGURE OUTPUT ${out} CONTENT "${text}" @ONLY)
  set(hy_migrations_${engine} ${out} PARENT_SCOPE)
endfunction()
