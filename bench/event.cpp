#include "bench/event.hpp"

#include <charconv>
#include <fmt/format.h>
#include <stdexcept>

#include "base/random.hpp"

namespace posthorn::bench {

namespace {
constexpr std::string_view before_number = R"({"number":")";
constexpr std::string_view before_filler = R"(","filler":")";
constexpr std::string_view end_of_payload = R"("})";
constexpr std::size_t fixed_bytes =
    before_number.size() + Event::number_digits + before_filler.size() + end_of_payload.size();
static_assert(fixed_bytes <= smallest_payload_bytes);
static_assert(Event::number_position == before_number.size() + 1);
constexpr std::uint64_t filler_seed = 8071;

std::string filler(std::size_t bytes) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    Random random(filler_seed);
    std::string text;
    for (std::size_t i = 0; i < bytes; ++i) text += letters[random.next() % letters.size()];
    return text;
}
}  // namespace

Event::Event(std::size_t payload_bytes) : payload_bytes_(payload_bytes) {
    if (payload_bytes < smallest_payload_bytes)
        throw std::invalid_argument(fmt::format("a payload has at least {} bytes", smallest_payload_bytes));
    submission_ = R"({"eventType":"bench.event","payload":)";
    payload_begin_ = submission_.size();
    submission_ += before_number;
    submission_.append(number_digits, '0');
    submission_ += before_filler;
    submission_ += filler(payload_bytes - fixed_bytes);
    submission_ += end_of_payload;
    submission_ += '}';
}

std::string_view Event::payload(std::uint64_t number) {
    return submission(number).substr(payload_begin_, payload_bytes_);
}

std::string_view Event::submission(std::uint64_t number) {
    char* digit = submission_.data() + payload_begin_ + before_number.size() + number_digits;
    for (std::size_t i = 0; i < number_digits; ++i, number /= 10)
        *--digit = static_cast<char>('0' + number % 10);
    return submission_;
}

std::optional<std::uint64_t> Event::number_in(std::string_view payload) {
    if (payload.size() < fixed_bytes || !payload.starts_with(before_number)) return std::nullopt;
    const char* first = payload.data() + before_number.size();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(first, first + number_digits, number);
    if (error != std::errc() || end != first + number_digits) return std::nullopt;
    return number;
}

}  // namespace posthorn::bench
