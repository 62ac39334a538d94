#include "ingest/decode.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <set>

#include "base/crypto.hpp"
#include "base/timestamp.hpp"
#include "domain/endpoint_filter.hpp"
#include "http/header_rules.hpp"
#include "http/message.hpp"
#include "ingest/limits.hpp"
#include "json/scan.hpp"

namespace posthorn::ingest {

namespace {

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
    BodyReader(const std::vector<json::Member>& members, Location at, Problems& problems)
        : at_(std::move(at)), problems_(problems) {
        for (const auto& [key, value] : members) add(decoded_key(key), value);
    }

    std::optional<std::string> name(const char* field, bool required, std::size_t longest) {
        const auto* text = find(field, required);
        if (text == nullptr) return std::nullopt;
        return name_of(*text, at(field), longest);
    }

    std::vector<std::string> names(const char* field, std::size_t most, std::size_t longest) {
        const auto* text = find(field, false);
        if (text == nullptr) return {};
        const auto value = parse(*text);
        if (!value || !value->is_array()) {
            note(at(field), "must be an array", "type_error.list");
            return {};
        }
        const auto& array = value->get_array();
        if (array.empty() || array.size() > most) {
            note(at(field), fmt::format("must have from 1 to {} items", most), "value_error.list.items");
            return {};
        }
        std::vector<std::string> list;
        for (std::size_t i = 0; i < array.size(); ++i) {
            auto place = at(field);
            place.push_back(std::to_string(i));
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
            note(at(field), "must be an integer", "type_error.integer");
        else if (!value->is_int64() || value->get_int64() < lowest || value->get_int64() > highest)
            note(at(field), fmt::format("must be from {} to {}", lowest, highest),
                 "value_error.number.range");
    }

    // The member's text; empty if it isn't there.
    std::string_view object(const char* field, bool required) {
        const auto* text = find(field, required);
        if (text == nullptr) return {};
        if (text->starts_with('{')) return *text;
        note(at(field), "must be an object", "type_error.dict");
        return {};
    }

    // The member's text; empty if it is no array.
    std::string_view array(const char* field) {
        const auto* text = find(field, true);
        if (text == nullptr) return {};
        if (text->starts_with('[')) return *text;
        note(at(field), "must be an array", "type_error.list");
        return {};
    }

    std::optional<std::string> text(const char* field) {
        const auto* member = find(field, false);
        if (member == nullptr) return std::nullopt;
        const auto value = parse(*member);
        if (value && value->is_string()) return boost::json::value_to<std::string>(*value);
        note(at(field), "must be a string", "type_error.str");
        return std::nullopt;
    }

    std::optional<SystemTime> time(const char* field) {
        const auto given = text(field);
        if (!given) return std::nullopt;
        const auto moment = parse_timestamp(*given);
        if (!moment)
            note(at(field), "must be an RFC 3339 time such as 2026-01-31T12:00:00Z", "value_error.datetime");
        return moment;
    }

    std::vector<std::pair<std::string, std::string>> headers(const char* field) {
        std::vector<std::pair<std::string, std::string>> list;
        const auto* member = find(field, false);
        if (member == nullptr) return list;
        const auto value = parse(*member);
        if (!value || !value->is_object()) {
            note(at(field), "must be an object", "type_error.dict");
            return list;
        }
        const auto& object = value->get_object();
        if (object.size() > limits::headers_per_message)
            note(at(field), fmt::format("at most {} entries are allowed", limits::headers_per_message),
                 "value_error.dict.max_items");
        std::set<std::string, http::CaselessLess> seen;
        for (const auto& entry : object) {
            auto place = at(field);
            place.emplace_back(entry.key());
            if (!entry.value().is_string()) {
                note(std::move(place), "must be a string", "type_error.str");
                continue;
            }
            std::string name(entry.key()), content = boost::json::value_to<std::string>(entry.value());
            auto problem = http::header_problem(name, content, http::ContentType::chosen);
            if (name.empty() || name.size() > limits::header_name_bytes)
                problem = fmt::format("the name must have from 1 to {} bytes", limits::header_name_bytes);
            else if (content.size() > limits::header_value_bytes)
                problem = fmt::format("must have at most {} bytes", limits::header_value_bytes);
            else if (problem.empty() && !seen.insert(name).second)
                problem = "is there twice (names compare without case)";
            if (!problem.empty()) note(std::move(place), std::move(problem), "value_error.header");
            list.emplace_back(std::move(name), std::move(content));
        }
        return list;
    }

    Location at(std::string_view field) const {
        auto place = at_;
        place.emplace_back(field);
        return place;
    }
    bool has(const char* field) { return find(field, false) != nullptr; }
    void note(Location loc, std::string msg, std::string type) {
        problems_.push_back({std::move(loc), std::move(msg), std::move(type)});
    }

private:
    void add(std::string key, std::string_view value) {
        const auto [entry, is_new] = members_.emplace(std::move(key), value);
        if (is_new || !repeated_.insert(entry->first).second) return;
        // Which of both was meant? Parsers differ, and so would signatures.
        note(at(entry->first), "is there twice", "value_error.duplicate");
    }

    // Null counts as absent where the field may be absent.
    const std::string_view* find(const char* field, bool required) {
        const auto member = members_.find(std::string_view(field));
        if (member == members_.end()) {
            if (required) note(at(field), "field required", "value_error.missing");
            return nullptr;
        }
        if (member->second != "null") return &member->second;
        if (required) note(at(field), "must not be null", "type_error.none.not_allowed");
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

    Location at_;
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

// Headers and raw payload; from transformationsParams where they come in there.
void read_extras(BodyReader& reader, DecodedMessage& message, Problems& problems) {
    const auto read = [&](BodyReader& from) {
        if (auto headers = from.headers("headers"); !headers.empty())
            message.extras.headers = std::move(headers);
        if (auto raw = from.text("rawPayload")) {
            message.payload = std::move(*raw);
            message.extras.raw = true;
        }
    };
    read(reader);
    const auto nested = reader.object("transformationsParams", false);
    if (nested.empty()) return;
    const auto scan = json::scan_object(nested, limits::payload_depth + 1);
    BodyReader inner(scan.members, reader.at("transformationsParams"), problems);
    for (const auto* field : {"headers", "rawPayload"})
        if (inner.has(field) && reader.has(field))
            inner.note(inner.at(field), "must not be given twice", "value_error.duplicate");
    read(inner);
}

void read_delivery_time(BodyReader& reader, SystemTime now, domain::MessageExtras& extras) {
    const auto deliver_at = reader.time("deliverAt");
    if (!deliver_at || *deliver_at <= now) return;
    if (*deliver_at > now + limits::longest_delay)
        reader.note(reader.at("deliverAt"),
                    fmt::format("must be at most {} days from now", limits::longest_delay.count() / 24),
                    "value_error.datetime");
    extras.deliver_at = deliver_at;
}

}  // namespace

DecodedMessage decode_message(std::string_view body, const std::string* idempotency_key, SystemTime now,
                              const Location& at) {
    DecodedMessage message;
    Problems problems;
    if (idempotency_key != nullptr) {
        check_idempotency_key(*idempotency_key, problems);
        message.idempotency_key = *idempotency_key;
    }
    const auto found = json::scan_object(body, limits::payload_depth + 1);
    if (found.error) {
        problems.push_back({at, *found.error, "value_error.jsondecode"});
        throw http::ValidationProblem{std::move(problems)};
    }
    BodyReader reader(found.members, at, problems);
    if (auto event_type = reader.name("eventType", true, limits::event_type_characters))
        message.event_type = std::move(*event_type);
    read_extras(reader, message, problems);
    const auto payload = reader.object("payload", !message.extras.raw);
    if (!message.extras.raw) message.payload = payload;
    message.channels = reader.names("channels", limits::channels_per_message, limits::channel_characters);
    message.tags = reader.names("tags", limits::tags_per_message, limits::tag_characters);
    message.event_id = reader.name("eventId", false, limits::event_id_characters);
    read_delivery_time(reader, now, message.extras);
    reader.integer("payloadRetentionPeriod", limits::shortest_retention_days, limits::longest_retention_days);
    message.application = reader.object("application", false);
    if (!problems.empty()) throw http::ValidationProblem{std::move(problems)};
    if (message.event_id || message.idempotency_key) message.body_hash = sha256(body);
    return message;
}

std::vector<BatchItem> split_batch(std::string_view body) {
    constexpr int around_a_message = 2;  // levels: the batch's object and its array
    const Location at{"body"};
    const int deepest = limits::payload_depth + 1 + around_a_message;
    const auto found = json::scan_object(body, deepest);
    if (found.error) throw http::ValidationProblem{{{at, *found.error, "value_error.jsondecode"}}};
    Problems problems;
    BodyReader reader(found.members, at, problems);
    const auto items = json::scan_array(reader.array("messages"), deepest);
    if (items && (items->empty() || items->size() > limits::messages_per_batch))
        reader.note(reader.at("messages"),
                    fmt::format("must have from 1 to {} items", limits::messages_per_batch),
                    "value_error.list.items");
    if (!problems.empty()) throw http::ValidationProblem{std::move(problems)};
    std::vector<BatchItem> batch;
    for (std::size_t i = 0; i < items->size(); ++i)
        batch.push_back({(*items)[i], {"body", "messages", std::to_string(i)}});
    return batch;
}

}  // namespace posthorn::ingest
