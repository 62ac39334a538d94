#pragma once
#include <string_view>

namespace posthorn::cli {

inline constexpr std::string_view version = "0.1.0";  // as in CMakeLists.txt; a test compares them

}  // namespace posthorn::cli
