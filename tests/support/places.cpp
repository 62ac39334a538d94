#include "support/places.hpp"

namespace posthorn::test {

std::filesystem::path source_directory() { return POSTHORN_SOURCE_DIR; }

std::filesystem::path posthorn_program() { return POSTHORN_BINARY; }

}  // namespace posthorn::test
