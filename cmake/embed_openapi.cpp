// embed_openapi SOURCE_DIR VERSION OUTPUT_DIR: merges SOURCE_DIR/*.json into the OpenAPI document of the API
// and renders it as a page; both, and SOURCE_DIR/style.css, become texts in C++.
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "embedded_text.hpp"
#include "reference_page.hpp"

namespace fs = std::filesystem;
using posthorn::literal, posthorn::read_file, posthorn::write_if_changed;
namespace json = boost::json;

namespace {

std::vector<fs::path> json_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    // The base comes first, so that the document begins with what it is.
    std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
        const bool base_a = a.stem() == "openapi", base_b = b.stem() == "openapi";
        return base_a != base_b ? base_a : a < b;
    });
    return files;
}

void merge(json::object& into, const json::object& from, const std::string& where) {
    for (const auto& [key, value] : from) {
        auto* there = into.if_contains(key);
        if (there == nullptr)
            into.emplace(key, value);
        else if (there->is_object() && value.is_object())
            merge(there->get_object(), value.get_object(), where + "/" + std::string(key));
        else
            throw std::runtime_error(where + "/" + std::string(key) + " is written twice");
    }
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 4) throw std::runtime_error("usage: embed_openapi SOURCE_DIR VERSION OUTPUT_DIR");
    const fs::path folder = argv[1], output = argv[3];
    json::object document;
    for (const auto& file : json_files(folder)) {
        try {
            merge(document, json::parse(read_file(file)).as_object(), "");
        } catch (const std::exception& error) {
            throw std::runtime_error(file.string() + ": " + error.what());
        }
    }
    document.at("info").as_object()["version"] = argv[2];

    const auto text_of = [](const std::string& name, const std::string& text) {
        return "std::string_view " + name + "() {\n    return std::string_view(\n" + literal(text) + ", " +
               std::to_string(text.size()) + ");\n}\n";
    };
    fs::create_directories(output);
    write_if_changed(output / "api_document.cpp",
                     "// Made from admin-api/openapi/ by cmake/embed_openapi.cpp.\n#include "
                     "\"admin-api/api_document.hpp\"\n\n"
                     "namespace posthorn::admin {\n" +
                         text_of("api_document", json::serialize(document)) +
                         text_of("reference_page", posthorn::reference_page(document)) +
                         text_of("reference_style", read_file(folder / "style.css")) +
                         "}  // namespace posthorn::admin\n");
} catch (const std::exception& error) {
    std::cerr << "embed_openapi: " << error.what() << "\n";
    return 1;
}
