#include "http/message.hpp"

#include <boost/json.hpp>
#include <stdexcept>

#include "http/ascii.hpp"

namespace posthorn::http {
namespace json = boost::json;

std::string_view to_string(Method method) {
    switch (method) {
        case Method::get:
            return "GET";
        case Method::head:
            return "HEAD";
        case Method::post:
            return "POST";
        case Method::put:
            return "PUT";
        case Method::patch:
            return "PATCH";
        case Method::del:
            return "DELETE";
        case Method::options:
            return "OPTIONS";
        case Method::other:
            break;
    }
    return "OTHER";
}

void Fields::add(std::string name, std::string value) {
    list_.emplace_back(std::move(name), std::move(value));
}

const std::string* Fields::find(std::string_view name) const {
    for (const auto& [field, value] : list_)
        if (equals_without_case(field, name)) return &value;
    return nullptr;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

const std::string& Request::parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    if (found == parameters.end())
        throw std::out_of_range("the route has no parameter named " + std::string(name));
    return found->second;
}

Response json_response(int status, const json::value& value) {
    Response response;
    response.status = status;
    response.body = json::serialize(value);
    return response;
}

Response empty_response(int status) {
    Response response;
    response.status = status;
    return response;
}

Response to_response(const Problem& problem) {
    auto response =
        json_response(problem.status, json::object{{"code", problem.code}, {"detail", problem.detail}});
    response.fields = problem.fields;
    return response;
}

Response to_response(const ValidationProblem& problem) {
    json::array details;
    for (const auto& field : problem.problems) {
        json::array loc;
        for (const auto& step : field.loc) loc.emplace_back(step);
        details.push_back(json::object{{"loc", std::move(loc)}, {"msg", field.msg}, {"type", field.type}});
    }
    return json_response(422, json::object{{"detail", std::move(details)}});
}

}  // namespace posthorn::http
