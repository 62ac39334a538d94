#include "base/duration.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>
#include <utility>

namespace posthorn {

using std::chrono::milliseconds;

namespace {
constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::int64_t longest_ms = 3650ll * 86'400'000;

std::string_view trim(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}
}  // namespace

boost::system::result<milliseconds> parse_duration(std::string_view text) {
    const auto invalid = make_error_code(boost::system::errc::invalid_argument);
    text = trim(text);
    if (text.empty()) return invalid;
    std::int64_t total = 0;
    while (!text.empty()) {
        std::int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || number < 0 || text.front() == '-') return invalid;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        const auto length = text.find_first_of("0123456789");
        const auto name = text.substr(0, length);
        const auto* unit =
            std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.first == name; });
        if (unit == units.end() || number > longest_ms / unit->second) return invalid;
        total += number * unit->second;
        if (total > longest_ms) return invalid;
        text.remove_prefix(name.size());
    }
    return milliseconds(total);
}

boost::system::result<std::vector<milliseconds>> parse_durations(std::string_view text) {
    std::vector<milliseconds> list;
    if (trim(text).empty()) return list;
    while (true) {
        const auto comma = text.find(',');
        const auto one = parse_duration(text.substr(0, comma));
        if (!one) return one.error();
        list.push_back(*one);
        if (comma == std::string_view::npos) return list;
        text.remove_prefix(comma + 1);
    }
}

std::string format_duration(milliseconds value) {
    std::int64_t rest = value.count();
    if (rest == 0) return "0s";
    std::string text;
    for (const auto& [name, size] : units) {
        if (rest / size == 0) continue;
        text += fmt::format("{}{}", rest / size, name);
        rest %= size;
    }
    return text;
}

}  // namespace posthorn
