// The body of a message or of a batch. An accepted payload is a part of the body, byte for byte (I12);
// nothing is accepted that another reader of JSON refuses; what is accepted is within the limits and can be
// stored and sent.
#include <boost/json.hpp>
#include <map>
#include <set>

#include "base/encoding.hpp"
#include "check.hpp"
#include "domain/endpoint_filter.hpp"
#include "http/header_rules.hpp"
#include "http/message.hpp"
#include "ingest/decode.hpp"
#include "ingest/limits.hpp"
#include "json/scan.hpp"

using namespace posthorn;
using fuzz::require;
namespace limits = posthorn::ingest::limits;

namespace {

constexpr SystemTime now{std::chrono::hours(24 * 20'000)};
constexpr int deep_enough = 200;

bool is_part_of(std::string_view part, std::string_view whole) {
    return whole.find(part) != std::string_view::npos;
}

// By a parser that is not ours, of the same strictness.
std::optional<boost::json::value> parse(std::string_view text, boost::system::error_code& error) {
    boost::json::parse_options options;
    options.max_depth = deep_enough;
    auto value = boost::json::parse({text.data(), text.size()}, error, {}, options);
    if (error) return std::nullopt;
    return value;
}

std::optional<boost::json::value> parse(std::string_view text) {
    boost::system::error_code error;
    return parse(text, error);
}

// Or JSON that it can't hold: half of a surrogate pair, which it takes for an error of syntax, an exponent
// without end.
bool is_json(std::string_view text) {
    boost::system::error_code error;
    return parse(text, error) || error == boost::json::error::exponent_overflow || is_part_of("\\ud", text) ||
           is_part_of("\\uD", text);
}

void check_scan(std::string_view body) {
    const auto scan = json::scan_object(body, limits::payload_depth + 1);
    const auto value = parse(body);
    if (scan.error) {
        require(scan.members.empty(), "what is wrong has no members");
        require(!value || !value->is_object() || is_part_of("too deep", *scan.error),
                "what is refused for its grammar is no JSON object");
        return;
    }
    require(is_valid_utf8(body), "JSON is UTF-8");
    require(value ? value->is_object() : is_json(body), "what is taken is a JSON object");
    const char* before = body.data();
    for (const auto& [key, member] : scan.members) {
        require(key.data() > before && member.data() > key.data() + key.size() &&
                    member.data() + member.size() <= body.data() + body.size(),
                "members follow one another within the body");
        before = member.data() + member.size();
        require(is_json(member), "a member is JSON");
    }
    if (value) {
        std::set<std::string_view> names;
        for (const auto& [key, member] : value->get_object()) names.insert({key.data(), key.size()});
        require(names.size() <= scan.members.size(), "no member is overlooked");
    }
}

void check_names(const std::vector<std::string>& names, std::size_t most, std::size_t longest) {
    require(names.size() <= most, "as many names as are allowed");
    require(std::set<std::string>(names.begin(), names.end()).size() == names.size(), "none of them twice");
    for (const auto& name : names) require(domain::is_valid_name(name, longest), "each of them a name");
}

void check_headers(const domain::MessageExtras& extras) {
    require(extras.headers.size() <= limits::headers_per_message, "as many headers as are allowed");
    std::set<std::string, http::CaselessLess> seen;
    for (const auto& [name, value] : extras.headers) {
        require(seen.insert(name).second, "none of them twice");
        require(name.find_first_of("\r\n: ") == std::string::npos, "a header's name is one word");
        require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                "a header's value holds no line's end");
        require(name.size() <= limits::header_name_bytes && value.size() <= limits::header_value_bytes,
                "both within their limits");
    }
}

void check_message(const ingest::DecodedMessage& message, std::string_view body, const std::string* key) {
    require(domain::is_valid_name(message.event_type, limits::event_type_characters),
            "an event type is a name");
    require(is_valid_utf8(message.payload), "a payload is UTF-8");
    if (message.extras.raw) {
        const auto shown = boost::json::serialize(boost::json::string(message.payload));
        require(parse(shown) == boost::json::value(boost::json::string(message.payload)),
                "a raw payload is any text");
    } else {
        require(message.payload.starts_with('{') && message.payload.ends_with('}'), "a payload is an object");
        require(is_part_of(message.payload, body), "a payload is what was submitted, byte for byte");
        require(!json::scan_object(message.payload, limits::payload_depth).error,
                "a payload is read alike alone");
    }
    check_names(message.channels, limits::channels_per_message, limits::channel_characters);
    check_names(message.tags, limits::tags_per_message, limits::tag_characters);
    check_headers(message.extras);
    if (message.event_id)
        require(domain::is_valid_name(*message.event_id, limits::event_id_characters),
                "an event id is a name");
    require(message.body_hash.empty() == (!message.event_id && key == nullptr),
            "hashed where there is a key");
    if (message.extras.deliver_at)
        require(*message.extras.deliver_at > now && *message.extras.deliver_at <= now + limits::longest_delay,
                "delivered later, within the limit");
    require(message.application.empty() || is_json(message.application), "an application is JSON");
}

bool check_alone(std::string_view body, const std::string* key) {
    try {
        check_message(ingest::decode_message(body, key, now), body, key);
        return true;
    } catch (const http::ValidationProblem& problem) {
        require(!problem.problems.empty(), "a refusal says why");
        for (const auto& one : problem.problems)
            require(!one.loc.empty() && !one.msg.empty() && is_valid_utf8(one.msg), "where and what");
        return false;
    }
}

// An item of a batch is accepted if, and only if, it is accepted alone.
void check_batch(std::string_view body) {
    std::vector<ingest::BatchItem> items;
    try {
        items = ingest::split_batch(body);
    } catch (const http::ValidationProblem& problem) {
        require(!problem.problems.empty(), "a refusal says why");
        return;
    }
    require(!items.empty() && items.size() <= limits::messages_per_batch, "as many as are allowed");
    for (const auto& item : items) {
        require(item.body.data() >= body.data() &&
                    item.body.data() + item.body.size() <= body.data() + body.size(),
                "an item is part of its batch");
        check_alone(item.body, nullptr);
    }
}

// A message taken alone is taken in a batch as well.
void check_in_batch(std::string_view body) {
    const auto batch = R"({"messages":[)" + std::string(body) + "]}";
    const auto items = ingest::split_batch(batch);
    require(items.size() == 1 && is_part_of(items[0].body, body), "a batch of one holds that one");
    const auto alone = ingest::decode_message(body, nullptr, now);
    const auto among = ingest::decode_message(items[0].body, nullptr, now);
    require(alone.payload == among.payload && alone.event_type == among.event_type, "the same message");
}

}  // namespace

// The first part is an idempotency key, where there is more than one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto rest = fuzz::text_of(data, size);
    std::optional<std::string> key;
    if (rest.find(fuzz::separator) != std::string_view::npos) key = fuzz::take_part(rest);
    check_scan(rest);
    check_alone(rest, key ? &*key : nullptr);
    if (check_alone(rest, nullptr)) check_in_batch(rest);
    check_batch(rest);
    return 0;
}
