#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"

namespace posthorn::fault {

// All rows of a statement as texts, in a session of its own. Throws std::runtime_error.
std::vector<std::vector<std::string>> read_rows(const std::string& conninfo, const std::string& sql);
// 8-4-4-4-12; throws std::runtime_error.
Uuid uuid_in(std::string text);

}  // namespace posthorn::fault
