#pragma once
#include <cstddef>
#include <string>

namespace posthorn::cli {

// The bytes of a file, or of stdin for "-". Throws CommandFailed where it can not be read, or has more than
// `limit_bytes`.
std::string read_input(const std::string& path, std::size_t limit_bytes);

}  // namespace posthorn::cli
