#include "domain/retry_schedule.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace posthorn::domain {

namespace {
using std::chrono::days;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double most_jitter = 0.2;
constexpr seconds longest_retry_after = std::chrono::hours(24);
constexpr int years_a_short_year_may_lie_ahead = 50;

constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> day_names{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                    "Friday", "Saturday", "Sunday"};

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<int> number(std::string_view text) {
    if (!is_all_digits(text)) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    return value;
}

// A date's parts as they stand in the text; day_name only has to be a day's name.
struct HttpDate {
    std::string_view day_name, day, month, year, time;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<HttpDate> split_imf_fixdate(std::string_view text) {
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || text.substr(25) != " GMT")
        return std::nullopt;
    return HttpDate{text.substr(0, 3), text.substr(5, 2), text.substr(8, 3), text.substr(12, 4),
                    text.substr(17, 8)};
}

// "Sunday, 06-Nov-94 08:49:37 GMT"
std::optional<HttpDate> split_rfc850(std::string_view text) {
    const auto comma = text.find(", ");
    if (comma == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(comma + 2);
    if (rest.size() != 22 || rest[2] != '-' || rest[6] != '-' || rest[9] != ' ' || rest.substr(18) != " GMT")
        return std::nullopt;
    return HttpDate{text.substr(0, comma), rest.substr(0, 2), rest.substr(3, 3), rest.substr(7, 2),
                    rest.substr(10, 8)};
}

// "Sun Nov  6 08:49:37 1994"
std::optional<HttpDate> split_asctime(std::string_view text) {
    if (text.size() != 24 || text[3] != ' ' || text[7] != ' ' || text[10] != ' ' || text[19] != ' ')
        return std::nullopt;
    const std::string_view day = text[8] == ' ' ? text.substr(9, 1) : text.substr(8, 2);
    return HttpDate{text.substr(0, 3), day, text.substr(4, 3), text.substr(20, 4), text.substr(11, 8)};
}

bool is_day_name(std::string_view text, bool written_out) {
    return std::any_of(day_names.begin(), day_names.end(), [&](std::string_view name) {
        return text == (written_out ? name : name.substr(0, 3));
    });
}

std::optional<seconds> time_of_day(std::string_view text) {
    if (text.size() != 8 || text[2] != ':' || text[5] != ':') return std::nullopt;
    const auto hour = number(text.substr(0, 2));
    const auto minute = number(text.substr(3, 2));
    const auto second = number(text.substr(6, 2));
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    return std::chrono::hours(*hour) + std::chrono::minutes(*minute) + seconds(*second);
}

// Two digits mean the latest year that is not more than 50 years ahead (RFC 9110, 5.6.7).
std::optional<int> full_year(std::string_view text, SystemTime now) {
    const auto year = number(text);
    if (!year || text.size() == 4) return year;
    const std::chrono::year_month_day today(std::chrono::floor<days>(now));
    const int this_year = static_cast<int>(today.year());
    const int latest = this_year + years_a_short_year_may_lie_ahead;
    return latest - (latest - *year) % 100;
}

std::optional<SystemTime> parse_http_date(std::string_view text, SystemTime now) {
    auto date = split_imf_fixdate(text);
    if (!date) date = split_asctime(text);
    const bool written_out = !date;
    if (!date) date = split_rfc850(text);
    if (!date || !is_day_name(date->day_name, written_out)) return std::nullopt;

    const auto month = std::find(month_names.begin(), month_names.end(), date->month);
    const auto day = number(date->day);
    const auto year = full_year(date->year, now);
    const auto time = time_of_day(date->time);
    if (month == month_names.end() || !day || !year || !time) return std::nullopt;
    const std::chrono::year_month_day calendar_day =
        std::chrono::year(*year) / static_cast<int>(month - month_names.begin() + 1) / *day;
    if (!calendar_day.ok()) return std::nullopt;
    return SystemTime(std::chrono::sys_days(calendar_day)) + *time;
}
}  // namespace

std::optional<milliseconds> RetrySchedule::delay_after(int attempt, Random& random,
                                                       milliseconds retry_after) const {
    const auto failed = static_cast<std::size_t>(std::max(attempt, 1));
    if (failed > delays_.size()) return std::nullopt;
    const milliseconds scheduled = delays_[failed - 1];
    const double added = static_cast<double>(scheduled.count()) * most_jitter * random.unit();
    return std::max(scheduled + milliseconds(static_cast<std::int64_t>(added)), retry_after);
}

std::optional<milliseconds> parse_retry_after(std::string_view text, SystemTime now) {
    text = trim(text);
    if (is_all_digits(text)) {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool enormous = error == std::errc::result_out_of_range || value > longest_retry_after.count();
        return enormous ? longest_retry_after : seconds(value);
    }
    const auto date = parse_http_date(text, now);
    if (!date) return std::nullopt;
    const auto ahead = std::chrono::ceil<milliseconds>(*date - now);  // rounded up: never early
    return std::clamp<milliseconds>(ahead, milliseconds(0), longest_retry_after);
}

}  // namespace posthorn::domain
