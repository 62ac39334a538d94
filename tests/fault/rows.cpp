#include "fault/rows.hpp"

#include <algorithm>
#include <libpq-fe.h>
#include <memory>
#include <stdexcept>

#include "base/encoding.hpp"

namespace posthorn::fault {

std::vector<std::vector<std::string>> read_rows(const std::string& conninfo, const std::string& sql) {
    const std::unique_ptr<PGconn, decltype(&PQfinish)> session(PQconnectdb(conninfo.c_str()), &PQfinish);
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(session.get(), sql.c_str()), &PQclear);
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK)
        throw std::runtime_error(PQerrorMessage(session.get()));
    std::vector<std::vector<std::string>> rows;
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        auto& fields = rows.emplace_back();
        for (int column = 0; column < PQnfields(result.get()); ++column)
            fields.emplace_back(PQgetvalue(result.get(), row, column));
    }
    return rows;
}

Uuid uuid_in(std::string text) {
    std::erase(text, '-');
    const auto bytes = hex_decode(text);
    Uuid id;
    if (!bytes || bytes->size() != id.bytes.size()) throw std::runtime_error("no id: " + text);
    std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
    return id;
}

}  // namespace posthorn::fault
