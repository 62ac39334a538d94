#include "ingest/decode.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>

#include "base/crypto.hpp"
#include "domain/endpoint_filter.hpp"
#include "http/message.hpp"
#include "ingest/limits.hpp"
#include "json/scan.hpp"

namespace posthorn::ingest {

namespace {

using Location = std::vector<std::string>;
using Problems = std::vector<FieldProblem>;

// A small value; nothing if it is one that can't be held in memory as text or number (a lone surrogate, say),
// which no field allows.
std::optional<boost::json::value> parse(std::string_view text) {
    boost::system::error_code error;
    auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
    if (error) return std::nullopt;
    return value;
}

std::string decoded_key(std::string_view key) {
    if (key.find('\\') == std::string_view::npos) return std::string(key);
    const auto value = parse(fmt::format("\"{}\"", key));
    if (!value) return std::string(key);
    return std::string(value->get_string().data(), value->get_string().size());
}

// The body's members by their names, and what is wrong with them.
class BodyReader {
public:
    BodyReader(const std::vector<json::Member>& members, Problems& problems) : problems_(problems) {
        for (const auto& [key, value] : members) add(decoded_key(key), value);
    }

    std::optional<std::string> name(const char* field, bool required, std::size_t longest) {
        const auto* text = find(field, required);
        if (text == nullptr) return std::nullopt;
        return name_of(*text, {"body", field}, longest);
    }

    std::vector<std::string> names(const char* field, std::size_t most, std::size_t longest) {
        const auto* text = find(field, false);
        if (text == nullptr) return {};
        const auto value = parse(*text);
        if (!value || !value->is_array()) {
            note({"body", field}, "must be an array", "type_error.list");
            return {};
        }
        const auto& array = value->get_array();
        if (array.empty() || array.size() > most) {
            note({"body", field}, fmt::format("must have from 1 to {} items", most),
                 "value_error.list.items");
            return {};
        }
        std::vector<std::string> list;
        for (std::size_t i = 0; i < array.size(); ++i) {
            const Location place{"body", field, std::to_string(i)};
            auto item = name_of(array[i], place, longest);
            if (!item) continue;
            if (std::find(list.begin(), list.end(), *item) != list.end())
                note(place, "must not be there twice", "value_error.list.unique_items");
            list.push_back(std::move(*item));
        }
        return list;
    }

    void integer(const char* field, std::int64_t lowest, std::int64_t highest) {
        const auto* text = find(field, false);
        if (text == nullptr) return;
        const auto value = parse(*text);
        if (!value || (!value->is_int64() && !value->is_uint64()))
            note({"body", field}, "must be an integer", "type_error.integer");
        else if (!value->is_int64() || value->get_int64() < lowest || value->get_int64() > highest)
            note({"body", field}, fmt::format("must be from {} to {}", lowest, highest),
                 "value_error.number.range");
    }

    void object_if_any(const char* field) {
        const auto* text = find(field, false);
        if (text != nullptr && !text->starts_with('{'))
            note({"body", field}, "must be an object", "type_error.dict");
    }

    std::string_view object(const char* field) {
        const auto* text = find(field, true);
        if (text == nullptr) return {};
        if (text->starts_with('{')) return *text;
        note({"body", field}, "must be an object", "type_error.dict");
        return {};
    }

private:
    void note(Location loc, std::string msg, std::string type) {
        problems_.push_back({std::move(loc), std::move(msg), std::move(type)});
    }

    void add(std::string key, std::string_view value) {
        const auto [at, is_new] = members_.emplace(std::move(key), value);
        if (is_new || !repeated_.insert(at->first).second) return;
        // Which of both was meant? Parsers differ, and so would signatures.
        note({"body", at->first}, "is there twice", "value_error.duplicate");
    }

    // Null counts as absent where the field may be absent.
    const std::string_view* find(const char* field, bool required) {
        const auto at = members_.find(std::string_view(field));
        if (at == members_.end()) {
            if (required) note({"body", field}, "field required", "value_error.missing");
            return nullptr;
        }
        if (at->second != "null") return &at->second;
        if (required) note({"body", field}, "must not be null", "type_error.none.not_allowed");
        return nullptr;
    }

    std::optional<std::string> name_of(std::string_view text, Location place, std::size_t longest) {
        const auto value = parse(text);
        return name_of(value ? *value : boost::json::value(), std::move(place), longest);
    }
    std::optional<std::string> name_of(const boost::json::value& value, Location place, std::size_t longest) {
        const auto* text = value.if_string();
        if (text == nullptr) {
            note(std::move(place), "must be a string", "type_error.str");
            return std::nullopt;
        }
        std::string name(text->data(), text->size());
        if (domain::is_valid_name(name, longest)) return name;
        if (name.empty())
            note(std::move(place), "must have at least 1 character", "value_error.any_str.min_length");
        else if (domain::is_valid_name(name, name.size()))
            note(std::move(place), fmt::format("must have at most {} characters", longest),
                 "value_error.any_str.max_length");
        else
            note(std::move(place), "may hold only letters, digits, '-', '_' and '.' (^[a-zA-Z0-9\\-_.]+$)",
                 "value_error.str.regex");
        return std::nullopt;
    }

    Problems& problems_;
    std::map<std::string, std::string_view, std::less<>> members_;
    std::set<std::string_view> repeated_;
};

void check_idempotency_key(const std::string& key, Problems& problems) {
    const auto visible = [](char c) { return c > ' ' && c < '\x7F'; };
    if (key.empty() || key.size() > limits::idempotency_key_characters ||
        !std::all_of(key.begin(), key.end(), visible))
        problems.push_back({{"header", "idempotency-key"},
                            fmt::format("must be 1 to {} visible ASCII characters without spaces",
                                        limits::idempotency_key_characters),
                            "value_error.str"});
}

}  // namespace

DecodedMessage decode_message(std::string_view body, const std::string* idempotency_key) {
    DecodedMessage message;
    Problems problems;
    if (idempotency_key != nullptr) {
        check_idempotency_key(*idempotency_key, problems);
        message.idempotency_key = *idempotency_key;
    }
    const auto scan = json::scan_object(body, limits::payload_depth + 1);
    if (scan.error) {
        problems.push_back({{"body"}, *scan.error, "value_error.jsondecode"});
        throw http::ValidationProblem{std::move(problems)};
    }
    BodyReader reader(scan.members, problems);
    if (auto event_type = reader.name("eventType", true, limits::event_type_characters))
        message.event_type = std::move(*event_type);
    message.payload = reader.object("payload");
    message.channels = reader.names("channels", limits::channels_per_message, limits::channel_characters);
    message.event_id = reader.name("eventId", false, limits::event_id_characters);
    reader.integer("payloadRetentionPeriod", limits::shortest_retention_days, limits::longest_retention_days);
    reader.object_if_any("application");
    if (!problems.empty()) throw http::ValidationProblem{std::move(problems)};
    if (message.event_id || message.idempotency_key) message.body_hash = sha256(body);
    return message;
}

}  // namespace posthorn::ingest
