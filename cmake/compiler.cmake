# Language, warnings, sanitizers. Warnings are errors in our own code; system headers are not ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(POSTHORN_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  message(FATAL_ERROR
    "GCC ${CMAKE_CXX_COMPILER_VERSION} miscompiles C++20 coroutines (a temporary in a co_await operand is destroyed "
    "twice). Use clang-19 (Debian 12 and 13 have it: ./dev setup installs it) or GCC 14.")
endif()

find_program(POSTHORN_CCACHE ccache)
if(POSTHORN_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${POSTHORN_CCACHE})
endif()

add_library(posthorn_options INTERFACE)
target_compile_options(posthorn_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor -Woverloaded-virtual
  -Wnull-dereference -Wformat=2 -Wimplicit-fallthrough -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(posthorn_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
  add_link_options(-fuse-ld=lld)
else()
  # GCC 14 warns of dangling and maybe-uninitialised objects inside Boost's own coroutine frames, that these are allocated by
  # another function than the one that frees them (both are Asio's), and of the bounds of a std::string's short form
  # where the long one is used.
  target_compile_options(posthorn_options INTERFACE
    -Wno-null-dereference -Wno-mismatched-new-delete -Wno-maybe-uninitialized -Wno-dangling-reference -Wno-missing-field-initializers
    -Wno-array-bounds -Wno-stringop-overflow)
endif()
if(POSTHORN_SANITIZE)
  add_compile_options(-fsanitize=${POSTHORN_SANITIZE} -fno-sanitize-recover=all -O1)
  add_link_options(-fsanitize=${POSTHORN_SANITIZE})
endif()
# What libFuzzer is steered by, for the modules that read bytes from outside: what -fsanitize=fuzzer-no-link means, which the
# precompiled header, and so every module, would have to be compiled with too.
if(POSTHORN_SANITIZE MATCHES "address" AND CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(POSTHORN_FUZZ_COVERAGE -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
endif()
