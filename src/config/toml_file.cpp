#include "config/toml_file.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <toml++/toml.h>

namespace posthorn::config {

namespace {
std::optional<std::string> as_text(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
    if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
    const auto* list = node.as_array();
    if (!list) return std::nullopt;
    std::string joined;
    for (const auto& one : *list) {
        const auto* text = one.as_string();
        if (!text) return std::nullopt;
        joined += joined.empty() ? text->get() : "," + text->get();
    }
    return joined;
}

void collect(const toml::table& table, const std::string& outer, const std::string& path, TomlFile& file) {
    for (const auto& [key, node] : table) {
        const auto name = outer + std::string(key.str());
        const auto line = static_cast<unsigned>(node.source().begin.line);
        if (const auto* inner = node.as_table())
            collect(*inner, name + ".", path, file);
        else if (const auto text = as_text(node))
            file.entries.push_back({name, *text, line});
        else
            file.problems.push_back({name, fmt::format("file {} line {}", path, line),
                                     "must be a string, a whole number, true, false or an array of strings"});
    }
}
}  // namespace

TomlFile read_toml_file(const std::string& path) {
    TomlFile file;
    std::ifstream stream(path, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    if (!stream.good() && !stream.eof()) {
        file.problems.push_back(
            {"config", "file " + path, "cannot be read: " + std::generic_category().message(errno)});
        return file;
    }
    try {
        collect(toml::parse(content, path), "", path, file);
    } catch (const toml::parse_error& error) {
        file.problems.push_back({"config", fmt::format("file {} line {}", path, error.source().begin.line),
                                 fmt::format("is not TOML: {}", error.description())});
    }
    return file;
}

}  // namespace posthorn::config
