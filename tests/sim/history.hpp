#pragma once
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sim/database.hpp"
#include "sim/world.hpp"

namespace posthorn::sim {

// What happened, as receivers, clients and operators saw it, held against the promise (docs/architecture.md):
// some of it at once, the rest at the end.
class History {
public:
    History(const World& world, const Database& database) : world_(world), database_(database) {}

    // -- requests
    struct Send {
        int process = 0;
        EndpointId endpoint;
        MessageId message;
        SteadyTime first_byte{};
        SystemTime began{};      // the first byte, by the database's clock, which schedules follow
        SteadyTime last_byte{};  // as planned, until it is cut
        bool cut = false;        // before the last byte
        bool arrived = false;    // whole
        int status = 0;          // answered by the receiver; 0: none
        std::optional<std::chrono::milliseconds> retry_after;
    };
    Send& began(Send send);
    // The process is gone: what it was sending ends there.
    void process_ended(int process);
    void arrived(Send& send, bool signature_is_right, const std::string& body);

    // -- what clients and operators were told
    void submitted(const std::string& key, const std::string& body) { bodies_[key] = body; }
    void accepted(const std::string& key, MessageId message);
    void deliveries_made(const store::AcceptedBatch& batch);
    void replayed(EndpointId endpoint, MessageId message);
    void closed(EndpointId endpoint);  // its disabling or deletion was answered
    void opened(EndpointId endpoint);

    // Something that may make a request be sent once more: a process died, stalled or lost its way to the
    // database, or the database crashed. `process`: nothing where it concerns all.
    void disrupted(std::optional<int> process, SteadyTime from, SteadyTime until);

    // For who reads the log of one seed.
    void tell(const std::string& what) const;
    void violated(const std::string& what);
    const std::vector<std::string>& violations() const { return violations_; }

    // When everything has ended.
    void check_end(int attempts_of_schedule);
    std::size_t sends() const { return sends_.size(); }
    std::size_t duplicates() const { return duplicates_; }
    std::optional<SteadyTime> first_send(const Database::DeliveryKey& key) const;
    const std::map<Database::DeliveryKey, SteadyTime>& made() const { return made_; }

private:
    static std::string text(const Send& send);
    std::string at_now(const std::string& what) const;
    void check_order(const Send& send);
    void check_time(const Send& send);
    void check_duplicates();
    void check_ends(int attempts_of_schedule);
    void check_messages();

    struct Disruption {
        std::optional<int> process;
        SteadyTime from{}, until{};
    };

    const World& world_;
    const Database& database_;
    std::list<Send> sends_;
    std::map<Database::DeliveryKey, std::vector<const Send*>> by_delivery_;
    std::map<std::string, std::string> bodies_;  // by the idempotency key
    std::map<std::string, MessageId> accepted_;
    std::map<Database::DeliveryKey, SteadyTime> made_;
    std::map<Database::DeliveryKey, std::vector<SteadyTime>> replays_;
    std::set<EndpointId> closed_;
    std::vector<Disruption> disruptions_;
    std::vector<std::string> violations_;
    std::size_t duplicates_ = 0;
};

}  // namespace posthorn::sim
