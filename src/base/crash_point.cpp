#include "base/crash_point.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <stdexcept>
#include <unistd.h>

namespace posthorn {

namespace {

std::atomic<int> passages_left{0};

[[noreturn]] void die() {
    while (true) ::kill(::getpid(), SIGKILL);
}

}  // namespace

void arm_crash_point(std::string_view text) {
    const auto colon = std::min(text.find(':'), text.size());
    const auto name = text.substr(0, colon);
    const auto* const found = std::find(crash_point_names.begin(), crash_point_names.end(), name);
    if (found == crash_point_names.end())
        throw std::invalid_argument(fmt::format("{}: there is no \"{}\"; there are {}", crash_point_variable,
                                                name, fmt::join(crash_point_names, ", ")));
    int passage = 1;
    if (colon < text.size()) {
        const auto digits = text.substr(colon + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), passage);
        if (error != std::errc{} || end != digits.data() + digits.size() || passage < 1)
            throw std::invalid_argument(
                fmt::format("{}: after the colon there must be a number from 1 on; it is \"{}\"",
                            crash_point_variable, digits));
    }
    passages_left = passage;
    detail::armed_crash_point = static_cast<int>(found - crash_point_names.begin());
}

void detail::pass_armed_crash_point() {
    if (passages_left.fetch_sub(1) == 1) die();
}

}  // namespace posthorn
