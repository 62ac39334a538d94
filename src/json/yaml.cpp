#include "json/yaml.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <utility>
#include <vector>
#include <yaml.h>

namespace posthorn::json {

namespace {

namespace bj = boost::json;

struct Failure {
    std::string what;
};

std::string_view text_of(const yaml_char_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}
std::string_view text_of(const yaml_char_t* data) {
    return data == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(data));
}

class Parser {
public:
    explicit Parser(std::string_view text) {
        if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
        yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() {
        yaml_event_delete(&event_);
        yaml_parser_delete(&parser_);
    }

    // Valid until the next one. Throws Failure.
    const yaml_event_t& next() {
        yaml_event_delete(&event_);
        if (yaml_parser_parse(&parser_, &event_) == 0)
            throw Failure{fmt::format("line {}: {}", parser_.problem_mark.line + 1,
                                      parser_.problem == nullptr ? "not valid" : parser_.problem)};
        return event_;
    }

private:
    yaml_parser_t parser_{};
    yaml_event_t event_{};
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
bool is_float(std::string_view text) {
    const auto skip_digits = [&] {
        const auto before = text.size();
        while (!text.empty() && is_digit(text.front())) text.remove_prefix(1);
        return before - text.size();
    };
    const auto skip = [&](std::string_view signs) {
        if (text.empty() || signs.find(text.front()) == std::string_view::npos) return false;
        text.remove_prefix(1);
        return true;
    };
    skip("-+");
    const auto whole = skip_digits();
    if (skip(".")) {
        if (skip_digits() + whole == 0) return false;
    } else if (whole == 0) {
        return false;
    }
    if (skip("eE")) {
        skip("-+");
        if (skip_digits() == 0) return false;
    }
    return text.empty();
}

template <class Number, class... Format>
std::optional<bj::value> number_of(std::string_view text, Format... format) {
    Number number{};
    const auto* end = text.data() + text.size();
    const auto [read, error] = std::from_chars(text.data(), end, number, format...);
    if (error != std::errc() || read != end) return std::nullopt;
    return bj::value(number);
}

// YAML 1.2.2, 10.3.2.
bj::value plain_scalar(std::string_view text) {
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
    if (text == "true" || text == "True" || text == "TRUE") return true;
    if (text == "false" || text == "False" || text == "FALSE") return false;
    if (text.starts_with("0x"))
        if (auto number = number_of<std::int64_t>(text.substr(2), 16)) return *number;
    if (text.starts_with("0o"))
        if (auto number = number_of<std::int64_t>(text.substr(2), 8)) return *number;
    if (!is_float(text)) return bj::string(text);
    if (text.front() == '+') text.remove_prefix(1);
    if (auto number = number_of<std::int64_t>(text, 10)) return *number;
    if (auto number = number_of<std::uint64_t>(text, 10)) return *number;
    if (auto number = number_of<double>(text)) return *number;
    return bj::string(text);
}

class Builder {
public:
    Builder(std::string_view text, YamlLimits limits) : parser_(text), limits_(limits) {}

    bj::value run() {
        expect(YAML_STREAM_START_EVENT);
        if (parser_.next().type == YAML_STREAM_END_EVENT) throw Failure{"holds nothing"};
        auto value = build(parser_.next(), 0);
        expect(YAML_DOCUMENT_END_EVENT);
        if (parser_.next().type != YAML_STREAM_END_EVENT) throw Failure{"must be one document"};
        return value;
    }

private:
    void expect(yaml_event_type_t type) {
        if (parser_.next().type != type) throw Failure{"not valid"};
    }

    [[noreturn]] static void fail(const yaml_event_t& event, std::string_view what) {
        throw Failure{fmt::format("line {}: {}", event.start_mark.line + 1, what)};
    }

    // A long text counts as several values.
    static std::size_t values_of(std::string_view text) { return 1 + text.size() / 64; }

    void count(std::size_t values) {
        if (values > limits_.values - values_)
            throw Failure{
                fmt::format("at most {} values are allowed, with those that aliases repeat", limits_.values)};
        values_ += values;
    }

    bj::value build(const yaml_event_t& event, std::size_t depth) {
        count(1);
        const std::size_t before = values_;
        switch (event.type) {
            case YAML_ALIAS_EVENT:
                return repeated(event);
            case YAML_SCALAR_EVENT: {
                const std::string anchor(text_of(event.data.scalar.anchor));
                count(values_of(text_of(event.data.scalar.value, event.data.scalar.length)));
                return remember(anchor, scalar(event), before);
            }
            case YAML_SEQUENCE_START_EVENT:
            case YAML_MAPPING_START_EVENT: {
                if (depth == limits_.depth)
                    fail(event, fmt::format("at most {} levels are allowed", limits_.depth));
                const bool is_mapping = event.type == YAML_MAPPING_START_EVENT;
                const auto& data = event.data;
                check_tag(event, is_mapping ? data.mapping_start.tag : data.sequence_start.tag);
                const std::string anchor(
                    text_of(is_mapping ? data.mapping_start.anchor : data.sequence_start.anchor));
                return remember(anchor, is_mapping ? mapping(depth) : sequence(depth), before);
            }
            default:
                fail(event, "not valid");
        }
    }

    bj::value sequence(std::size_t depth) {
        bj::array array;
        while (true) {
            const auto& event = parser_.next();
            if (event.type == YAML_SEQUENCE_END_EVENT) return array;
            array.push_back(build(event, depth + 1));
        }
    }

    bj::value mapping(std::size_t depth) {
        bj::object object;
        while (true) {
            const auto& event = parser_.next();
            if (event.type == YAML_MAPPING_END_EVENT) return object;
            if (event.type != YAML_SCALAR_EVENT) fail(event, "a name must be a text");
            const std::string name(text_of(event.data.scalar.value, event.data.scalar.length));
            const bool is_plain = event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
            if (is_plain && name == "<<") fail(event, "merge keys (<<) are not taken");
            if (object.contains(name)) fail(event, fmt::format("{} is there twice", name.substr(0, 100)));
            count(values_of(name));
            auto value = build(parser_.next(), depth + 1);
            object.emplace(name, std::move(value));
        }
    }

    static bj::value scalar(const yaml_event_t& event) {
        const auto& data = event.data.scalar;
        const auto text = text_of(data.value, data.length);
        const auto tag = text_of(data.tag);
        if (tag == YAML_STR_TAG || tag == "!" || (tag.empty() && data.style != YAML_PLAIN_SCALAR_STYLE))
            return bj::string(text);
        check_tag(event, data.tag);
        return plain_scalar(text);
    }

    static void check_tag(const yaml_event_t& event, const yaml_char_t* tag) {
        if (!text_of(tag).empty()) fail(event, "tags are not taken");
    }

    bj::value remember(const std::string& anchor, bj::value value, std::size_t values_before) {
        if (anchor.empty()) return value;
        const auto values = values_ - values_before + 1;
        count(values);  // kept
        anchors_[anchor] = {value, values};
        return value;
    }

    bj::value repeated(const yaml_event_t& event) {
        const auto found = anchors_.find(std::string(text_of(event.data.alias.anchor)));
        if (found == anchors_.end()) fail(event, "an alias without an anchor before it");
        count(found->second.second);
        return found->second.first;
    }

    Parser parser_;
    const YamlLimits limits_;
    std::size_t values_ = 0;
    std::map<std::string, std::pair<bj::value, std::size_t>> anchors_;  // and how many values each is
};

}  // namespace

std::variant<boost::json::value, std::string> parse_yaml(std::string_view text, YamlLimits limits) {
    try {
        return Builder(text, limits).run();
    } catch (const Failure& failure) {
        return failure.what;
    }
}

}  // namespace posthorn::json
