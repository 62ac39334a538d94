# Compiles admin-api/openapi/ into posthorn_api_document: see cmake/embed_openapi.cpp.
file(GLOB openapi_files CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/admin-api/openapi/*)
set(generated ${CMAKE_BINARY_DIR}/generated/admin-api)
add_executable(embed_openapi cmake/embed_openapi.cpp cmake/reference_page.cpp)
target_include_directories(embed_openapi PRIVATE cmake)
target_link_libraries(embed_openapi PRIVATE Boost::json)
add_custom_command(
  OUTPUT ${generated}/openapi.stamp
  BYPRODUCTS ${generated}/api_document.cpp
  COMMAND embed_openapi ${CMAKE_SOURCE_DIR}/admin-api/openapi ${PROJECT_VERSION} ${generated}
  COMMAND ${CMAKE_COMMAND} -E touch ${generated}/openapi.stamp
  DEPENDS ${openapi_files} embed_openapi
  COMMENT "Embedding the OpenAPI document")
add_custom_target(posthorn_embedded_openapi DEPENDS ${generated}/openapi.stamp)
set_source_files_properties(${generated}/api_document.cpp PROPERTIES GENERATED TRUE)
add_library(posthorn_api_document STATIC ${generated}/api_document.cpp)
add_dependencies(posthorn_api_document posthorn_embedded_openapi)
target_include_directories(posthorn_api_document PUBLIC ${CMAKE_SOURCE_DIR})
