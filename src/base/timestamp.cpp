#include "base/timestamp.hpp"

#include <chrono>
#include <fmt/format.h>

namespace posthorn {

namespace {
using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;

constexpr std::size_t most_fraction_digits = 9;
constexpr SystemTime earliest{};
constexpr SystemTime end_of_9999 = sys_days(std::chrono::year(10'000) / 1 / 1);

// Reads from the front. Once something did not fit, every further read gives 0 and ok() stays false.
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    bool ok() const { return ok_; }
    bool done() const { return ok_ && text_.empty(); }

    int number(int digits) {
        int value = 0;
        for (int i = 0; i < digits; ++i) value = value * 10 + digit();
        return ok_ ? value : 0;
    }
    char one_of(std::string_view characters) {
        if (!next_is_one_of(characters)) {
            ok_ = false;
            return '\0';
        }
        return take();
    }
    microseconds fraction() {
        if (!next_is_one_of(".")) return microseconds(0);
        take();
        int value = digit();
        std::size_t digits = 1;
        for (; ok_ && next_is_one_of("0123456789"); ++digits) {
            const int next = digit();
            if (digits < 6) value = value * 10 + next;
        }
        if (digits > most_fraction_digits) ok_ = false;
        for (; digits < 6; ++digits) value *= 10;
        return microseconds(value);
    }

private:
    bool next_is_one_of(std::string_view characters) const {
        return ok_ && !text_.empty() && characters.find(text_.front()) != std::string_view::npos;
    }
    char take() {
        const char c = text_.front();
        text_.remove_prefix(1);
        return c;
    }
    int digit() { return next_is_one_of("0123456789") ? take() - '0' : (ok_ = false, 0); }

    std::string_view text_;
    bool ok_ = true;
};

std::optional<minutes> read_offset(Reader& reader) {
    const char sign = reader.one_of("Zz+-");
    if (sign != '+' && sign != '-') return minutes(0);
    const int hour = reader.number(2);
    reader.one_of(":");
    const int minute = reader.number(2);
    if (hour > 23 || minute > 59) return std::nullopt;
    const minutes offset = hours(hour) + minutes(minute);
    return sign == '-' ? -offset : offset;
}

bool is_last_minute_of_day(SystemTime time) {
    const auto since_midnight = time - std::chrono::floor<days>(time);
    return since_midnight >= hours(24) - minutes(1);
}
}  // namespace

std::string format_timestamp(SystemTime time) {
    const auto day = std::chrono::floor<days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<microseconds> clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<SystemTime> parse_timestamp(std::string_view text) {
    Reader reader(text);
    const std::chrono::year year(reader.number(4));
    reader.one_of("-");
    const std::chrono::month month(static_cast<unsigned>(reader.number(2)));
    reader.one_of("-");
    const std::chrono::year_month_day date = year / month / reader.number(2);
    reader.one_of("Tt");
    const int hour = reader.number(2);
    reader.one_of(":");
    const int minute = reader.number(2);
    reader.one_of(":");
    const int second = reader.number(2);
    const microseconds fraction = reader.fraction();
    const std::optional<minutes> offset = read_offset(reader);
    if (!reader.done() || !offset || !date.ok() || hour > 23 || minute > 59 || second > 60)
        return std::nullopt;

    const SystemTime minute_start = SystemTime(sys_days(date)) + hours(hour) + minutes(minute) - *offset;
    if (second == 60 && !is_last_minute_of_day(minute_start)) return std::nullopt;  // no leap second then
    const SystemTime time = minute_start + seconds(second) + fraction;
    if (time < earliest || time >= end_of_9999) return std::nullopt;
    return time;
}

}  // namespace posthorn
