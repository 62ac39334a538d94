# Everything comes from the distribution's packages; ./dev setup installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL 7.88 REQUIRED)
find_package(PostgreSQL 14 REQUIRED)
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
set_property(TARGET PkgConfig::RE2 PROPERTY INTERFACE_COMPILE_OPTIONS)  # -pthread, which the precompiled header has not
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(Catch2 REQUIRED)

# One precompiled header for every module: Asio once, not once a file. GCC uses it only where every macro is defined as it was
# there, so the libraries that define some are linked here.
add_library(posthorn_pch STATIC ${CMAKE_SOURCE_DIR}/src/base/asio.cpp)
target_link_libraries(posthorn_pch PUBLIC posthorn_options Boost::headers Boost::json Boost::url fmt::fmt
  spdlog::spdlog Threads::Threads OpenSSL::SSL PkgConfig::SIMDJSON PkgConfig::TOMLPLUSPLUS)
target_compile_definitions(posthorn_pch PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_COROUTINE)
target_include_directories(posthorn_pch PUBLIC ${CMAKE_SOURCE_DIR}/src)
target_precompile_headers(posthorn_pch PRIVATE ${CMAKE_SOURCE_DIR}/src/base/pch.hpp)
