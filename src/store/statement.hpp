#pragma once
#include <string_view>

namespace posthorn::store {

// A named SQL statement of sql/queries/. The name is the prepared statement's and the label in logs and
// metrics.
struct Statement {
    std::string_view name;
    std::string_view sql;
};

struct Migration {
    int number;  // 1, 2, 3 ... without gaps
    std::string_view name;
    std::string_view sql;
};

}  // namespace posthorn::store
