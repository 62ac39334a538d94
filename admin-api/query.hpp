#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin-api/body.hpp"

namespace posthorn::admin {

// Reads query parameters by their rules; what is wrong is noted in `problems` (loc ["query", name]). An empty
// value counts as absent. The request and the problems outlive the reader.
class QueryReader {
public:
    QueryReader(const http::Request& request, Problems& problems) : request_(request), problems_(problems) {}

    std::optional<std::string> text(std::string_view name, TextRule rule) const;
    std::optional<std::int64_t> integer(std::string_view name, std::int64_t lowest,
                                        std::int64_t highest) const;
    bool boolean(std::string_view name, bool otherwise) const;
    std::optional<SystemTime> time(std::string_view name) const;
    // Repeated ("name=a&name=b") or separated by commas ("name=a,b"); each counts once.
    std::optional<std::vector<std::string>> texts(std::string_view name, ListRule rule) const;
    // One of the given words; its index.
    std::optional<std::size_t> choice(std::string_view name,
                                      const std::vector<std::string_view>& words) const;

    Problems& problems() const { return problems_; }

private:
    std::optional<std::string_view> find(std::string_view name) const;
    static Problems::Location location(std::string_view name) { return {"query", std::string(name)}; }

    const http::Request& request_;
    Problems& problems_;
};

}  // namespace posthorn::admin
