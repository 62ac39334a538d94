#include "store/postgres_installation.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "store/child_process.hpp"

namespace posthorn::store {

namespace fs = std::filesystem;

namespace {
bool holds_server(const fs::path& bin) {
    return access((bin / "initdb").c_str(), X_OK) == 0 && access((bin / "postgres").c_str(), X_OK) == 0;
}

int leading_number(std::string_view text) {
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"
int ask_major(const fs::path& bin) {
    const auto answer = run_to_end({.program = bin / "postgres", .arguments = {"--version"}, .user = {}});
    const auto at = answer.output.find(") ");
    return answer.ok && at != std::string::npos
               ? leading_number(std::string_view(answer.output).substr(at + 2))
               : 0;
}

std::optional<PostgresInstallation> on_path() {
    const char* path =
        std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
    std::string_view rest = path ? path : "";
    while (!rest.empty()) {
        const auto colon = rest.find(':');
        std::error_code error;
        const auto program = fs::canonical(fs::path(rest.substr(0, colon)) / "initdb", error);
        if (!error && holds_server(program.parent_path()))
            return PostgresInstallation{program.parent_path(), ask_major(program.parent_path())};
        rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
    }
    return std::nullopt;
}

std::vector<PostgresInstallation> installed() {
    std::vector<PostgresInstallation> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) {
        const auto bin = entry.path() / "bin";
        if (holds_server(bin)) found.push_back({bin, leading_number(entry.path().filename().string())});
    }
    if (auto other = on_path()) found.push_back(*other);
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.major > b.major; });
    return found;
}
}  // namespace

bool PostgresInstallation::has_library(const char* name) const {
    const auto file = fmt::format("{}.so", name);
    std::error_code error;
    return fs::exists(bin.parent_path() / "lib" / file, error) ||
           fs::exists(bin.parent_path() / "lib" / "postgresql" / file, error);
}

PostgresInstallation find_postgres(std::optional<int> wanted_major) {
    const auto all = installed();
    std::vector<int> majors;
    for (const auto& one : all) {
        if (wanted_major ? one.major == *wanted_major : one.major >= oldest_supported_postgres) return one;
        majors.push_back(one.major);
    }
    if (wanted_major)
        throw std::runtime_error(
            fmt::format("the database was made by PostgreSQL {0}, whose server is not installed here (found: "
                        "{1}). Install it "
                        "(apt-get install postgresql-{0}), or move the data to the newer version with "
                        "pg_upgrade or pg_dump",
                        *wanted_major, majors.empty() ? "none" : fmt::format("{}", fmt::join(majors, ", "))));
    throw std::runtime_error(
        fmt::format("no PostgreSQL server of version {} or later is installed here (looked in "
                    "/usr/lib/postgresql/*/bin and for "
                    "initdb on PATH{}). Install one (apt-get install postgresql), or set "
                    "POSTHORN_DATABASE_URL to use another server",
                    oldest_supported_postgres,
                    majors.empty() ? "" : fmt::format("; found: {}", fmt::join(majors, ", "))));
}

}  // namespace posthorn::store
