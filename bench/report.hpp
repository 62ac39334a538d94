#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/measurement.hpp"
#include "bench/plan.hpp"

namespace posthorn::bench {

struct Goal {
    enum class Sense { at_least, at_most };
    Sense sense;
    double value;
};

// One line of the table.
struct Figure {
    std::string scenario, name;
    double value;
    std::string unit;
    std::optional<Goal> goal;

    double ratio() const;  // to the goal; 0 without one
    bool met() const;      // true without a goal
};

// What went right and wrong with the messages of all scenarios, warm-ups included.
struct Tally {
    std::uint64_t sent = 0, arrived = 0, refused = 0, lost = 0, duplicates = 0;
    std::uint64_t foreign = 0, misdelivered = 0, signatures = 0, forged = 0;
    int exit_status = 0;  // the first of a service that was not 0

    void add(const Measurement& measured);
    bool flawless() const;
};

struct Results {
    Plan plan;
    Machine machine;
    std::vector<Figure> figures;
    Tally tally;
    boost::json::object measurements;  // by scenario: all that was measured, for --json
    double seconds = 0;                // that all of it took

    void add(std::string_view scenario, std::string name, double value, std::string unit,
             std::optional<Goal> goal = std::nullopt);
    // Puts a measurement into the list of this name.
    void keep(std::string_view scenario, std::string_view name, const Measurement& measured);
    void keep(std::string_view scenario, std::string_view name, double value);
    // Of a figure that was added earlier, if it was.
    std::optional<double> value_of(std::string_view scenario, std::string_view name) const;
};

std::string table_of(const Results& results);
boost::json::object json_of(const Results& results);

}  // namespace posthorn::bench
