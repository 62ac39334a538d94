# Compiles sql/queries/*.sql and sql/migrations/*.sql into posthorn_queries: see cmake/embed_sql.cpp.
file(GLOB sql_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/sql/queries/*.sql ${CMAKE_SOURCE_DIR}/sql/migrations/*.sql)
set(generated ${CMAKE_BINARY_DIR}/generated/store)
add_executable(embed_sql cmake/embed_sql.cpp)
add_custom_command(
  OUTPUT ${generated}/queries.stamp
  BYPRODUCTS ${generated}/queries.hpp ${generated}/queries.cpp
  COMMAND embed_sql ${CMAKE_SOURCE_DIR}/sql ${generated}
  COMMAND ${CMAKE_COMMAND} -E touch ${generated}/queries.stamp
  DEPENDS ${sql_files} embed_sql
  COMMENT "Embedding SQL")
add_custom_target(posthorn_embedded_sql DEPENDS ${generated}/queries.stamp)
set_source_files_properties(${generated}/queries.cpp ${generated}/queries.hpp PROPERTIES GENERATED TRUE)
add_library(posthorn_queries STATIC ${generated}/queries.cpp)
add_dependencies(posthorn_queries posthorn_embedded_sql)
target_include_directories(posthorn_queries PUBLIC ${CMAKE_BINARY_DIR}/generated ${CMAKE_SOURCE_DIR}/src)
