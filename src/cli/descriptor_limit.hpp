#pragma once
#include <cstddef>
#include <optional>

namespace posthorn::cli {

// Connections need descriptors: as many as this process may have. Returns how many that are; nothing, and
// errno, where the system refuses.
std::optional<std::size_t> raise_descriptor_limit();

}  // namespace posthorn::cli
