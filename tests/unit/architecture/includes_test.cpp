#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
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

void for_each_line(const std::function<void(const fs::path&, const std::string&)>& look) {
    for (const auto& top : {"src", "workers", "admin-api"})
        for (const auto& entry : fs::recursive_directory_iterator(posthorn::test::source_directory() / top)) {
            if (!entry.is_regular_file()) continue;
            std::ifstream in(entry.path());
            for (std::string line; std::getline(in, line);) look(entry.path(), line);
        }
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
    for_each_line([&](const fs::path& file, const std::string& line) {
        if (file.filename() == "asio.cpp") return;
        for (const auto& [library, folder] : owner)
            if (line.starts_with("#include <" + library)) {
                INFO(file.string() << ": " << line);
                CHECK(file.string().find("/" + folder + "/") != std::string::npos);
            }
    });
}

TEST_CASE("nothing is detached") {
    for_each_line([](const fs::path& file, const std::string& line) {
        if (file.filename() == "pch.hpp") return;
        INFO(file.string() << ": " << line
                           << "\nuse async/task.hpp, or a completion handler that is counted");
        CHECK(line.find("asio::detached") == std::string::npos);
        CHECK(line.find(".detach()") == std::string::npos);
    });
}

TEST_CASE("no loop's condition awaits behind && or ||, which GCC 14 evaluates once too often") {
    static const std::regex pattern(R"re(\b(while|for) \(.*(&&|\|\|).*co_await)re");
    for_each_line([](const fs::path& file, const std::string& line) {
        INFO(file.string() << ": " << line << "\nbreak out of the loop's body");
        CHECK_FALSE((line.find("co_await") != std::string::npos && std::regex_search(line, pattern)));
    });
}

// How long an ordinary comparison takes tells how much of a guess was right.
TEST_CASE("what is secret, and what is made with it, is compared in constant time") {
    static const std::regex pattern(
        R"re((==|!=) *[\w.>()-]*(reveal\(|hmac_sha256\(|sign\()|(reveal\(\)|hmac_sha256\([^=!]*\)|sign\([^=!]*\)) *(==|!=)|\b(memcmp|strcmp|strncmp)\()re");
    std::size_t in_constant_time = 0;
    for_each_line([&](const fs::path& file, const std::string& line) {
        INFO(file.string() << ": " << line << "\nuse equal_in_constant_time of base/crypto.hpp");
        CHECK_FALSE(std::regex_search(line, pattern));
        if (line.find("equal_in_constant_time(") != std::string::npos) ++in_constant_time;
    });
    CHECK(in_constant_time >= 6);  // declared, defined, and asked for tokens, signatures, secrets
}
