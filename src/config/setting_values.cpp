#include "config/setting_values.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <optional>
#include <thread>
#include <utility>

#include "base/duration.hpp"
#include "base/encoding.hpp"

namespace posthorn::config {

using std::chrono::milliseconds;

namespace {
std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    if (trimmed(text).empty()) return parts;
    while (true) {
        const auto comma = text.find(',');
        parts.emplace_back(trimmed(text.substr(0, comma)));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

bool in_range(const Setting& setting, milliseconds value) {
    return value >= *parse_duration(setting.smallest) && value <= *parse_duration(setting.largest);
}

template <class Value, std::size_t n>
bool read_word(std::string_view text, const std::array<std::pair<std::string_view, Value>, n>& words,
               Value& value) {
    for (const auto& [word, meaning] : words) {
        if (word != trimmed(text)) continue;
        value = meaning;
        return true;
    }
    return false;
}

std::optional<std::string> decode_key(std::string_view text) {
    for (auto bytes : {hex_decode(text), base64_decode(text)})
        if (bytes && bytes->size() == master_key_bytes) return bytes;
    return std::nullopt;
}

// A password with an unescaped '@', '/', '?' or '#' would have libpq take a part of it for the host or the
// port, and show it in the error.
bool is_unambiguous_url(std::string_view url) {
    const auto authority = url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
    const auto count = std::count(url.begin(), url.end(), '@');
    return count == std::count(authority.begin(), authority.end(), '@') && count <= 1;
}

constexpr std::array<std::pair<std::string_view, Role>, 3> role_words{
    {{"ingest", Role::ingest}, {"admin", Role::admin}, {"worker", Role::worker}}};
}  // namespace

bool read_value(const Setting&, std::string_view text, bool& value) {
    static constexpr std::array<std::pair<std::string_view, bool>, 4> words{
        {{"true", true}, {"false", false}, {"1", true}, {"0", false}}};
    return read_word(text, words, value);
}

bool read_value(const Setting& setting, std::string_view text, std::size_t& value) {
    const auto number = whole_number<std::size_t>(trimmed(text));
    if (!number) return false;
    if (*number == 0 && setting.zero == "one a processor") {
        const auto processors = static_cast<std::size_t>(std::max(1U, std::thread::hardware_concurrency()));
        value = std::min(processors, *whole_number<std::size_t>(setting.largest));
        return true;
    }
    if (*number < whole_number<std::size_t>(setting.smallest) ||
        *number > whole_number<std::size_t>(setting.largest))
        return false;
    value = *number;
    return true;
}

bool read_value(const Setting& setting, std::string_view text, milliseconds& value) {
    const auto duration = trimmed(text) == "0" ? milliseconds(0) : parse_duration(text);
    if (!duration) return false;
    const bool allowed_zero = *duration == milliseconds(0) && !setting.zero.empty();
    if (!allowed_zero && !in_range(setting, *duration)) return false;
    value = *duration;
    return true;
}

bool read_value(const Setting& setting, std::string_view text, std::vector<milliseconds>& value) {
    auto list = parse_durations(text);
    if (!list || list->size() > schedule_limit) return false;
    for (const auto one : *list)
        if (!in_range(setting, one)) return false;
    value = std::move(*list);
    return true;
}

bool read_value(const Setting&, std::string_view text, std::vector<std::string>& value) {
    auto list = split(text);
    for (const auto& one : list)
        if (one.empty()) return false;
    value = std::move(list);
    return true;
}

bool read_value(const Setting&, std::string_view text, std::filesystem::path& value) {
    if (text.empty() || text.find('\0') != std::string_view::npos) return false;
    value = text;
    return true;
}

bool read_value(const Setting& setting, std::string_view text, Secret& value) {
    if (setting.field == Field(&Settings::master_key)) {
        auto key = decode_key(trimmed(text));
        if (key) value = Secret(std::move(*key));
        return key.has_value();
    }
    if (setting.field == Field(&Settings::database_url)) {
        const bool url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if (url ? !is_unambiguous_url(text) : text.find('=') == std::string_view::npos) return false;
    } else if (text.size() < jwt_secret_minimum_characters) {
        return false;
    }
    value = Secret(std::string(text));
    return true;
}

bool read_value(const Setting&, std::string_view text, std::vector<Secret>& value) {
    std::vector<Secret> keys;
    for (const auto& one : split(text)) {
        auto key = decode_key(one);
        if (!key || keys.size() == other_master_keys_limit) return false;
        keys.emplace_back(std::move(*key));
    }
    value = std::move(keys);
    return true;
}

bool read_value(const Setting&, std::string_view text, ListenAddress& value) {
    text = trimmed(text);
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return false;
    const auto port = whole_number<std::uint16_t>(text.substr(colon + 1));
    std::string host(text.substr(0, colon));
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host == "localhost") host = "127.0.0.1";
    std::array<unsigned char, sizeof(in6_addr)> binary{};
    if (!port || inet_pton(bracketed ? AF_INET6 : AF_INET, host.c_str(), binary.data()) != 1) return false;
    value = {std::move(host), *port};
    return true;
}

bool read_value(const Setting&, std::string_view text, std::set<Role>& value) {
    std::set<Role> roles;
    for (const auto& word : split(text)) {
        if (word == "all") {
            roles = {Role::ingest, Role::admin, Role::worker};
            continue;
        }
        Role role{};
        if (!read_word(word, role_words, role)) return false;
        roles.insert(role);
    }
    if (roles.empty()) return false;
    value = std::move(roles);
    return true;
}

bool read_value(const Setting&, std::string_view text, LogLevel& value) {
    static constexpr std::array<std::pair<std::string_view, LogLevel>, 5> words{{{"trace", LogLevel::trace},
                                                                                 {"debug", LogLevel::debug},
                                                                                 {"info", LogLevel::info},
                                                                                 {"warn", LogLevel::warn},
                                                                                 {"error", LogLevel::error}}};
    return read_word(text, words, value);
}

bool read_value(const Setting&, std::string_view text, LogFormat& value) {
    static constexpr std::array<std::pair<std::string_view, LogFormat>, 2> words{
        {{"text", LogFormat::text}, {"json", LogFormat::json}}};
    return read_word(text, words, value);
}

}  // namespace posthorn::config
