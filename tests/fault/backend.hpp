#pragma once
#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/id.hpp"
#include "base/random.hpp"
#include "egress/api_client.hpp"
#include "fault/faults.hpp"

namespace posthorn::fault {

// What the backend knows of an event.
struct Sent {
    std::optional<SteadyTime> first_sent, acknowledged;
    MessageId message;
};
// From the answer to a disabling until the next enabling was asked for nothing may be sent (I6).
struct Closure {
    SteadyTime asked, answered;
    SteadyTime reopened_asked = SteadyTime::max(), reopened = SteadyTime::max();
};

// A customer's backend as the documentation says: each event has a key and is sent again with it until it is
// acknowledged, at whichever process answers. An open loop: what is late by an outage is made up for.
// Switches one endpoint off and on.
class Backend {
public:
    struct Options {
        std::vector<std::string> servers;  // of the processes that take events in
        std::string token;
        std::uint64_t seed = 0;
        int events_a_second = 200;
        std::uint32_t most_events = 0;
    };
    Backend(Options options, FaultLog& log);
    ~Backend();

    // Creates the application and its endpoints; their secrets. The receiver is at `url` + the endpoint's
    // place.
    std::vector<std::string> prepare(const std::string& url);
    void start();
    // No further events, and the endpoint is enabled; what was begun goes on until it is acknowledged.
    void stop_soon() { stopping_ = true; }
    bool done() const { return running_ == 0; }
    void give_up();  // whatever is not acknowledged

    // After done() or give_up().
    const std::vector<Sent>& events() const { return events_; }
    std::uint32_t sent() const { return next_; }
    const std::vector<Closure>& closures() const { return closures_; }
    const std::vector<std::string>& violations() const { return violations_; }
    const std::string& application() const { return application_; }
    const std::vector<EndpointId>& endpoints() const { return endpoints_; }

private:
    using Clients = std::vector<egress::ApiClient>;
    Clients make_clients(std::chrono::milliseconds timeout) const;
    std::string expect(egress::ApiClient& client, std::string_view method, const std::string& path,
                       const std::string& body, int status) const;
    void send_events(std::uint64_t thread);
    void send(Clients& clients, std::uint32_t number, std::uint64_t first);
    std::optional<MessageId> submit(egress::ApiClient& client, std::uint32_t number);
    void acknowledged(std::uint32_t number, MessageId message);
    void switch_endpoint();
    // Until it is answered; false when the run is given up.
    bool disable(Clients& clients, bool disabled);
    void pause(std::chrono::milliseconds time) const;
    void violated(std::string what);

    const Options options_;
    FaultLog& log_;
    std::string application_;
    std::vector<EndpointId> endpoints_;
    std::vector<Sent> events_;  // by number; each is one thread's
    std::vector<Closure> closures_;
    std::atomic<std::uint32_t> next_{0};
    std::atomic<bool> stopping_{false}, given_up_{false};
    std::atomic<int> running_{0};
    std::mutex mutex_;
    std::vector<std::string> violations_;
    SteadyTime started_{};
    std::vector<std::jthread> threads_;
};

}  // namespace posthorn::fault
