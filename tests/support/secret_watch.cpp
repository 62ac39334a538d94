#include "support/secret_watch.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "admin-api/endpoint_headers.hpp"
#include "base/encoding.hpp"

namespace posthorn::test {

namespace json = boost::json;

namespace {
constexpr std::size_t shortest_secret = 8, shortest_key = 16;
constexpr std::size_t shown_characters = 200;
constexpr std::array<std::string_view, 3> secret_members{"secret", "key", "token"};
constexpr std::array<std::string_view, 2> signing_key_prefixes{"whsec_", "whsk_"};

std::string without_padding(std::string text) {
    text.erase(text.find_last_not_of('=') + 1);
    return text;
}
}  // namespace

void SecretWatch::remember(std::string_view secret) {
    if (secret.size() < shortest_secret || forms_.contains(secret)) return;
    add_forms(secret);
    for (const auto prefix : signing_key_prefixes)
        if (secret.starts_with(prefix)) secret.remove_prefix(prefix.size());
    for (const auto& bytes : {hex_decode(secret), base64_decode(secret)})
        if (bytes && bytes->size() >= shortest_key) add_forms(*bytes);
}

void SecretWatch::add_forms(std::string_view bytes) {
    forms_.emplace(bytes);
    forms_.insert(hex_encode(bytes));
    forms_.insert(without_padding(base64_encode(bytes)));
    forms_.insert(without_padding(base64url_encode(bytes)));
}

void SecretWatch::learn_from(std::string_view body) {
    boost::system::error_code not_json;
    const auto value = json::parse({body.data(), body.size()}, not_json);
    if (!not_json) learn_from_value(value);
}

void SecretWatch::learn_from_value(const json::value& value) {
    if (const auto* array = value.if_array())
        for (const auto& item : *array) learn_from_value(item);
    if (const auto* object = value.if_object())
        for (const auto& member : *object) learn_from_member(member.key(), member.value());
}

void SecretWatch::learn_from_member(std::string_view name, const json::value& value) {
    if (!value.is_string()) return learn_from_value(value);
    const std::string_view text(value.get_string());
    const bool is_key = std::find(secret_members.begin(), secret_members.end(), name) != secret_members.end();
    if ((is_key && text.size() >= shortest_key) || admin::is_sensitive_header(name)) remember(text);
    if (name == "url") remember_query(text);
}

void SecretWatch::remember_query(std::string_view url) {
    url.remove_prefix(std::min(url.find('?'), url.size()));
    while (!url.empty()) {
        url.remove_prefix(1);
        const auto pair = url.substr(0, url.find_first_of("&#"));
        remember(pair.substr(std::min(pair.find('=') + 1, pair.size())));
        url.remove_prefix(pair.size());
    }
}

std::optional<std::string> SecretWatch::find_leak(std::string_view log) const {
    for (const auto& form : forms_) {
        const auto at = log.find(form);
        if (at == std::string_view::npos) continue;
        const auto line = at == 0 ? 0 : log.rfind('\n', at - 1) + 1;  // npos + 1 is 0
        return std::string(log.substr(line, std::min(log.find('\n', at) - line, shown_characters)));
    }
    return std::nullopt;
}

}  // namespace posthorn::test
