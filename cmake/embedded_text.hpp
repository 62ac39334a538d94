#pragma once
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

// What the programs that turn files into C++ share.
namespace posthorn {

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// One literal may hold at most 65,536 characters portably: long texts are joined from pieces.
inline std::string literal(const std::string& text) {
    constexpr std::size_t piece = 8000;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += piece)
        out += "R\"~~~(" + text.substr(at, piece) + ")~~~\"\n";
    return out;
}

// A file that stays as it is compiles nothing anew.
inline void write_if_changed(const std::filesystem::path& path, const std::string& text) {
    if (std::filesystem::exists(path) && read_file(path) == text) return;
    std::ofstream(path, std::ios::binary) << text;
}

}  // namespace posthorn
