#pragma once
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "fault/backend.hpp"
#include "fault/owners.hpp"
#include "fault/receiver_log.hpp"

namespace posthorn::fault {

// What is left of a run. The database is asked when the services have ended.
struct Evidence {
    std::uint64_t seed;
    const FaultLog& log;
    const Backend& backend;
    std::vector<Arrival> arrivals;
    std::vector<Owner> owners;
    std::string database;  // conninfo
};

// Holds what backend, database and receiver saw to the promise (docs/architecture.md).
class Checker {
public:
    explicit Checker(Evidence evidence);

    void check();
    const std::vector<std::string>& violations() const { return violations_; }
    std::size_t violations_found() const { return found_; }

    std::size_t acknowledged() const { return acknowledged_; }
    std::size_t deliveries() const { return deliveries_; }
    std::size_t dead_letters() const { return dead_letters_.size(); }
    const std::map<std::string, std::size_t>& duplicates() const { return duplicates_; }  // by cause
    Duration longest_gap() const { return longest_gap_; }  // between two acknowledgements
    struct TakeOvers {
        std::size_t measured = 0;
        Duration slowest{};
    };
    const TakeOvers& take_overs() const { return take_overs_; }
    // True when a fault that may repeat requests, or one of the database, was under way then.
    bool is_disturbed(SteadyTime from, SteadyTime until, const Window* but = nullptr) const;

private:
    using Key = std::pair<std::size_t, std::uint32_t>;  // endpoint, event
    struct Logged {
        int successes = 0, unanswered = 0;
        std::int64_t run = 0;
    };

    void read_database();
    std::optional<Key> key_in(const std::vector<std::string>& row) const;
    void check_acknowledgements();
    void check_arrivals();
    void check_messages();
    void check_ends();
    void check_end(const Key& key);
    bool may_be_missing(std::uint32_t number) const;
    void check_duplicates();
    void check_repetition(const Arrival& before, const Arrival& after, std::vector<const Window*>& used,
                          int& unanswered);
    void check_order();
    void check_closures();
    void check_take_overs();
    void violated(std::string what);
    std::string text(const Arrival& arrival) const;
    std::string text(const Key& key) const;

    Evidence evidence_;
    const std::vector<Window> windows_;
    std::map<Key, std::vector<Arrival>> by_key_;
    std::unordered_map<Uuid, std::uint32_t> numbers_;  // of the messages in the database
    std::map<std::uint32_t, int> messages_;            // how many of each number
    std::map<Key, Logged> logged_;
    std::map<Key, int> dead_letters_;  // reasons
    std::vector<std::string> live_;
    std::vector<std::string> violations_;
    std::size_t found_ = 0, acknowledged_ = 0, deliveries_ = 0;
    std::map<std::string, std::size_t> duplicates_;
    Duration longest_gap_{};
    TakeOvers take_overs_;
};

}  // namespace posthorn::fault
