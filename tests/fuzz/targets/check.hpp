#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

// What the targets of libFuzzer have in common. A target is one file with one LLVMFuzzerTestOneInput: it
// reads the bytes as the service would, and aborts where a property does not hold, which libFuzzer reports
// with the input.
namespace posthorn::fuzz {

inline void require(bool holds, std::string_view property) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %.*s\n", static_cast<int>(property.size()), property.data());
    std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Parts of one input are separated by this byte, which none of the texts has a use for; the last takes the
// rest.
inline constexpr char separator = '\x1e';

inline std::string_view take_part(std::string_view& rest) {
    const auto end = std::min(rest.find(separator), rest.size());
    const auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
}

// 0 where nothing is left.
inline std::uint8_t take_byte(std::string_view& rest) {
    if (rest.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(rest.front());
    rest.remove_prefix(1);
    return byte;
}

// One of several checks in a target, chosen by the input's first byte: a letter in the seeds, `a` for the
// first.
template <class Checks>
void run_chosen(const Checks& checks, std::string_view input) {
    const std::size_t letter = take_byte(input);
    checks[(letter + 256 * checks.size() - 'a') % checks.size()](input);
}

}  // namespace posthorn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
