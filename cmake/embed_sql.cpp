// embed_sql SQL_DIR OUTPUT_DIR: turns named SQL into C++.
// In sql/queries/*.sql a statement begins with a line "-- name: some_name" and ends before the next such line; it becomes
// posthorn::store::sql::some_name. sql/migrations/NNNN_name.sql become posthorn::store::sql::migrations(), in order.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "embedded_text.hpp"

namespace fs = std::filesystem;
using posthorn::literal, posthorn::read_file, posthorn::write_if_changed;

namespace {

struct Named {
    std::string name, sql;
};

std::vector<fs::path> sql_files(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder))
        if (entry.path().extension() == ".sql") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

std::string trim_statement(std::string text) {
    const auto last = text.find_last_not_of(" \n\t;");
    text.erase(last == std::string::npos ? 0 : last + 1);
    return text;
}

std::vector<Named> read_statements(const fs::path& folder) {
    const std::string marker = "-- name: ";
    std::vector<Named> statements;
    std::set<std::string> names;
    for (const auto& file : sql_files(folder)) {
        std::istringstream lines(read_file(file));
        bool inside = false;
        for (std::string line; std::getline(lines, line);) {
            if (line.rfind(marker, 0) == 0) {
                statements.push_back({line.substr(marker.size()), ""});
                inside = true;
                if (!names.insert(statements.back().name).second)
                    throw std::runtime_error(file.string() + ": the name is taken: " + statements.back().name);
            } else if (inside) {
                statements.back().sql += line + "\n";
            }
        }
    }
    for (auto& statement : statements) statement.sql = trim_statement(statement.sql);
    return statements;
}

std::vector<Named> read_migrations(const fs::path& folder) {
    std::vector<Named> migrations;
    for (const auto& file : sql_files(folder)) {
        const std::string stem = file.stem().string();
        if (std::stoul(stem.substr(0, 4)) != migrations.size() + 1)
            throw std::runtime_error(file.string() + ": migrations are numbered 0001, 0002 ... without gaps");
        migrations.push_back({stem, read_file(file)});
    }
    return migrations;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 3) throw std::runtime_error("usage: embed_sql SQL_DIR OUTPUT_DIR");
    const fs::path sql = argv[1], output = argv[2];
    const auto statements = read_statements(sql / "queries");
    const auto migrations = read_migrations(sql / "migrations");

    std::string header = "// Made from sql/ by cmake/embed_sql.cpp.\n#pragma once\n#include <span>\n#include \"store/statement.hpp\"\n\n"
                         "namespace posthorn::store::sql {\n";
    std::string source = "// Made from sql/ by cmake/embed_sql.cpp.\n#include \"store/queries.hpp\"\n\nnamespace posthorn::store::sql {\n";
    std::string list;
    for (const auto& [name, text] : statements) {
        header += "extern const Statement " + name + ";\n";
        source += "const Statement " + name + "{\"" + name + "\",\n" + literal(text) + "};\n";
        list += "    &" + name + ",\n";
    }
    header += "std::span<const Statement* const> all_statements();\nstd::span<const Migration> migrations();\n"
              "}  // namespace posthorn::store::sql\n";
    source += "namespace {\nconst Statement* const statements[] = {\n" + list + "};\nconst Migration migration_list[] = {\n";
    for (std::size_t i = 0; i < migrations.size(); ++i)
        source += "    {" + std::to_string(i + 1) + ", \"" + migrations[i].name + "\",\n" + literal(migrations[i].sql) + "},\n";
    source += "};\n}  // namespace\nstd::span<const Statement* const> all_statements() { return statements; }\n"
              "std::span<const Migration> migrations() { return migration_list; }\n}  // namespace posthorn::store::sql\n";

    fs::create_directories(output);
    write_if_changed(output / "queries.hpp", header);
    write_if_changed(output / "queries.cpp", source);
} catch (const std::exception& error) {
    std::cerr << "embed_sql: " << error.what() << "\n";
    return 1;
}
