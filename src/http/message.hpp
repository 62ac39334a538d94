#pragma once
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/problem.hpp"

namespace posthorn::http {

enum class Method { get, head, post, put, patch, del, options, other };
std::string_view to_string(Method method);

// Header fields in the order received; names compare without case.
class Fields {
public:
    void add(std::string name, std::string value);
    void reserve(std::size_t count) { list_.reserve(count); }
    // The first field of that name; nullptr if none.
    const std::string* find(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& all() const { return list_; }

private:
    std::vector<std::pair<std::string, std::string>> list_;
};

struct Request {
    Method method = Method::get;
    std::string path;  // percent-decoded per segment for parameters; this is the raw path without the query
    std::vector<std::pair<std::string, std::string>> query;      // decoded, in order; repeated names stay
    std::map<std::string, std::string, std::less<>> parameters;  // of the route's pattern, decoded
    Fields fields;
    std::string body;
    std::string id;    // request id: a sane incoming X-Request-Id, or a made one; answered and logged
    std::string peer;  // the client's address

    std::optional<std::string_view> query_value(std::string_view name) const;  // the first of that name
    const std::string& parameter(std::string_view name) const;                 // throws std::out_of_range
};

struct Response {
    int status = 200;
    std::string body;
    std::string content_type = "application/json";  // sent only with a body
    Fields fields;                                  // further ones
};

Response json_response(int status, const boost::json::value& value);
Response empty_response(int status);

// An answer thrown from a handler. Shown as {"code": code, "detail": detail}.
struct Problem {
    int status;
    std::string code;    // a word: "not_found", "authentication_failed", "conflict", "payload_too_large"
    std::string detail;  // a sentence that names what is wrong and what to do
    Fields fields = {};  // e.g. Retry-After
};

// Status 422, shown as {"detail": [{"loc": [...], "msg": ..., "type": ...}]}.
struct ValidationProblem {
    std::vector<FieldProblem> problems;
};

Response to_response(const Problem& problem);
Response to_response(const ValidationProblem& problem);

}  // namespace posthorn::http
