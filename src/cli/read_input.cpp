#include "cli/read_input.hpp"

#include <array>
#include <fmt/format.h>
#include <fstream>
#include <iostream>

#include "cli/command.hpp"

namespace posthorn::cli {

std::string read_input(const std::string& path, std::size_t limit_bytes) {
    std::ifstream file;
    if (path != "-") file.open(path, std::ios::binary);
    std::istream& input = path == "-" ? std::cin : file;
    std::string bytes;
    std::array<char, 65536> block{};
    while (input && bytes.size() <= limit_bytes) {
        input.read(block.data(), block.size());
        bytes.append(block.data(), static_cast<std::size_t>(input.gcount()));
    }
    const auto name = path == "-" ? std::string("stdin") : path;
    if (bytes.size() > limit_bytes)
        throw CommandFailed(fmt::format("{} has more than {} bytes", name, limit_bytes));
    if (!input.eof())
        throw CommandFailed(fmt::format("cannot read {}", name),
                            "Is there such a file, and may you read it?");
    return bytes;
}

}  // namespace posthorn::cli
