#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthorn::fault {

// The endpoints of the run, by their place in this list. All but the first two take one type of event
// alone.
struct EndpointPlan {
    std::string_view name;
    std::string_view type;  // empty: all
    bool ordered = false;
};
inline constexpr std::array endpoint_plans{EndpointPlan{"healthy", ""},
                                           EndpointPlan{"healthy too", ""},
                                           EndpointPlan{"flaky", "order.flaky"},
                                           EndpointPlan{"slow", "order.slow"},
                                           EndpointPlan{"ordered", "order.row", true},
                                           EndpointPlan{"switched", "order.switched"},
                                           EndpointPlan{"dead", "order.dead"}};
inline constexpr std::size_t flaky = 2, slow = 3, ordered = 4, switched = 5, dead = 6;

// What the event of this number is, the same whenever it is asked.
std::string_view type_of(std::uint64_t seed, std::uint32_t number);
std::string payload_of(std::uint64_t seed, std::uint32_t number);
// How often the flaky endpoint refuses it.
int refusals_of(std::uint64_t seed, std::uint32_t number);
bool is_wanted_by(std::size_t endpoint, std::string_view type);

// The number in a payload's beginning.
std::optional<std::uint32_t> number_in(std::string_view payload);

}  // namespace posthorn::fault
