#pragma once
#include <filesystem>

namespace posthorn::test {

std::filesystem::path source_directory();  // the checkout's top level
std::filesystem::path posthorn_program();  // the one built with these tests

}  // namespace posthorn::test
