#pragma once
// One test source for Catch2 2 (Debian 12) and Catch2 3 (Debian 13).
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
namespace posthorn::test {
inline auto contains(const std::string& text) { return Catch::Matchers::ContainsSubstring(text); }
}  // namespace posthorn::test
#else
#include <catch2/catch.hpp>
namespace posthorn::test {
inline auto contains(const std::string& text) { return Catch::Matchers::Contains(text); }
}  // namespace posthorn::test
#endif
