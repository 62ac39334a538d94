#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/random.hpp"

namespace posthorn::test {

// Choices that follow from a seed alone. Each takes one number of the generator, whatever it chooses from: a
// request keeps its shape when other objects are known than in the run that found it.
class Dice {
public:
    Dice(std::uint64_t seed, std::uint64_t number) : random_(seed * 0x9E3779B97F4A7C15ull + number) {}

    std::size_t below(std::size_t count) { return static_cast<std::size_t>(random_.next() % count); }
    std::int64_t between(std::int64_t lowest, std::int64_t highest) {
        return lowest + static_cast<std::int64_t>(
                            below(static_cast<std::size_t>(highest) - static_cast<std::size_t>(lowest) + 1));
    }
    bool chance(double probability) { return random_.unit() < probability; }
    const auto& one_of(const auto& list) { return list[below(list.size())]; }
    char character(std::string_view of) { return of[below(of.size())]; }

private:
    Random random_;
};

}  // namespace posthorn::test
