#include "admin-api/listing.hpp"

#include "admin-api/fields.hpp"

namespace posthorn::admin {

namespace json = boost::json;

std::string with_raw_member(const json::object& object, std::string_view name, std::string_view raw) {
    std::string text = json::serialize(object);
    text.pop_back();
    if (!object.empty()) text += ',';
    text += json::serialize(json::string(name.data(), name.size()));
    text += ':';
    text += raw;
    text += '}';
    return text;
}

http::Response listing_response(std::vector<std::string> items, const std::optional<std::string>& iterator,
                                const std::optional<std::string>& previous, bool done) {
    std::string data = "[";
    for (const auto& item : items) {
        if (data.size() > 1) data += ',';
        data += item;
    }
    data += ']';
    const json::object rest{
        {"iterator", or_null(iterator)}, {"prevIterator", or_null(previous)}, {"done", done}};
    http::Response response;
    response.body = with_raw_member(rest, "data", data);
    return response;
}

}  // namespace posthorn::admin
