#include "fault/event.hpp"

#include <charconv>
#include <fmt/format.h>

#include "base/random.hpp"

namespace posthorn::fault {

namespace {

constexpr std::string_view beginning = R"({"n":)";

Random random_of(std::uint64_t seed, std::uint32_t number, std::uint64_t use) {
    return Random(seed ^ (std::uint64_t{number} + 1) * 0x9E3779B97F4A7C15ull ^ use << 56);
}

std::size_t padding(Random& random) {
    const auto draw = random.next() % 1'000;
    if (draw == 0) return 100'000 + random.next() % 100'000;
    if (draw < 10) return 5'000 + random.next() % 20'000;
    return random.next() % 400;
}

}  // namespace

std::string_view type_of(std::uint64_t seed, std::uint32_t number) {
    const auto draw = random_of(seed, number, 1).next() % 100;
    if (draw < 5) return "order.slow";
    if (draw < 15) return "order.row";
    if (draw < 30) return "order.switched";
    if (draw < 45) return "order.dead";
    if (draw < 55) return "order.flaky";
    return "order.any";
}

// Written as no printer of JSON would write it.
std::string payload_of(std::uint64_t seed, std::uint32_t number) {
    auto random = random_of(seed, number, 2);
    std::string text = fmt::format("{}{}", beginning, number);
    text += random.next() % 2 == 0 ? R"(, "amount":10.50,"\u0061":"\u00e4\/" )"
                                   : R"(,"e" : 1E+2,	"zero":-0.0)";
    text += fmt::format(R"(, "big":{}123456789012345678901, "pad":")", random.next() % 9 + 1);
    for (auto left = padding(random); left > 0; --left) text += static_cast<char>('A' + random.next() % 26);
    return text + "\",\r\n\"b\":[1,2 ,3],\"b\":null}";
}

int refusals_of(std::uint64_t seed, std::uint32_t number) {
    const auto draw = random_of(seed, number, 3).next() % 100;
    return draw < 75 ? 0 : static_cast<int>(draw % 3) + 1;
}

bool is_wanted_by(std::size_t endpoint, std::string_view type) {
    const auto& plan = endpoint_plans.at(endpoint);
    return plan.type.empty() || plan.type == type;
}

std::optional<std::uint32_t> number_in(std::string_view payload) {
    if (!payload.starts_with(beginning)) return std::nullopt;
    payload.remove_prefix(beginning.size());
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(payload.data(), payload.data() + payload.size(), number);
    if (error != std::errc{}) return std::nullopt;
    return number;
}

}  // namespace posthorn::fault
