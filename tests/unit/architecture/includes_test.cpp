#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "support/catch.hpp"
#include "support/places.hpp"

namespace fs = std::filesystem;

namespace {

struct Module {
    std::string folder;
    std::set<std::string> may_use;
};

std::string trim(std::string text) {
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

// The table of docs/architecture.md: | module | folder | may use |
std::map<std::string, Module> read_table() {
    std::ifstream in(posthorn::test::source_directory() / "docs/architecture.md");
    std::map<std::string, Module> modules;
    bool inside = false;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("| module |"))
            inside = true;
        else if (inside && !line.starts_with("|"))
            break;
        else if (inside && !line.starts_with("|---")) {
            std::istringstream cells(line);
            std::string nothing, name, folder, uses;
            std::getline(cells, nothing, '|');
            std::getline(cells, name, '|');
            std::getline(cells, folder, '|');
            std::getline(cells, uses, '|');
            std::istringstream words(uses);
            Module module{trim(folder), {}};
            for (std::string word; words >> word;) module.may_use.insert(word);
            modules[trim(name)] = module;
        }
    }
    return modules;
}

std::vector<std::string> own_includes(const fs::path& file) {
    static const std::regex pattern(R"re(^\s*#include\s+"([^"]+)")re");
    std::ifstream in(file);
    std::vector<std::string> found;
    std::smatch match;
    for (std::string line; std::getline(in, line);)
        if (std::regex_search(line, match, pattern)) found.push_back(match[1]);
    return found;
}

}  // namespace

TEST_CASE("every module includes only what docs/architecture.md allows") {
    const auto modules = read_table();
    REQUIRE(modules.size() >= 12);
    std::size_t files = 0;
    for (const auto& [name, module] : modules) {
        const fs::path folder = posthorn::test::source_directory() / module.folder;
        REQUIRE(fs::is_directory(folder));
        for (const auto& entry : fs::recursive_directory_iterator(folder)) {
            if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
            ++files;
            for (const auto& include : own_includes(entry.path())) {
                const std::string from = include.substr(0, include.find('/'));
                INFO(entry.path().string() << " includes " << include);
                CHECK((from == name || module.may_use.contains(from)));
            }
        }
    }
    CHECK(files > 100);
}

TEST_CASE("Beast, libcurl, c-ares and libpq are each seen by one module only") {
    const std::map<std::string, std::string> owner{{"boost/beast", "src/http"},
                                                   {"curl/", "src/egress"},
                                                   {"ares.h", "src/egress"},
                                                   {"libpq-fe.h", "src/store"}};
    for (const auto& top : {"src", "workers", "admin-api"})
        for (const auto& entry : fs::recursive_directory_iterator(posthorn::test::source_directory() / top)) {
            if (!entry.is_regular_file() || entry.path().filename() == "asio.cpp") continue;
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);)
                for (const auto& [library, folder] : owner)
                    if (line.starts_with("#include <" + library)) {
                        INFO(entry.path().string() << ": " << line);
                        CHECK(entry.path().string().find("/" + folder + "/") != std::string::npos);
                    }
        }
}

TEST_CASE("nothing is detached") {
    for (const auto& top : {"src", "workers", "admin-api"})
        for (const auto& entry : fs::recursive_directory_iterator(posthorn::test::source_directory() / top)) {
            if (!entry.is_regular_file() || entry.path().filename() == "pch.hpp") continue;
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);) {
                INFO(entry.path().string()
                     << ": " << line << "\nuse async/task.hpp, or a completion handler that is counted");
                CHECK(line.find("asio::detached") == std::string::npos);
                CHECK(line.find(".detach()") == std::string::npos);
            }
        }
}
