# Compiles src/domain/meta_schema/*.json, the meta-schemas as json-schema.org publishes them, into texts.
set(meta_schemas ${CMAKE_SOURCE_DIR}/src/domain/meta_schema)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${meta_schemas}/draft-04.json ${meta_schemas}/draft-07.json)
file(READ ${meta_schemas}/draft-04.json meta_schema_draft_04)
file(READ ${meta_schemas}/draft-07.json meta_schema_draft_07)
configure_file(${meta_schemas}/meta_schemas.hpp.in ${CMAKE_BINARY_DIR}/generated/domain/meta_schemas.hpp @ONLY)
