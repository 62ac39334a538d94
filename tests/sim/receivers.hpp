#pragma once
#include <list>
#include <map>

#include "async/event.hpp"
#include "egress/client.hpp"
#include "sim/history.hpp"

namespace posthorn::sim {

// How an endpoint's receiver behaves. Probabilities are of one request.
struct Behaviour {
    double fails = 0;                       // answers 500
    double slows_down = 0;                  // answers 429, mostly with Retry-After
    double hangs = 0;                       // never answers
    double refuses = 0;                     // no connection
    double gone = 0;                        // answers 410
    std::chrono::milliseconds slowest{50};  // of an answer
};

class Receivers {
public:
    Receivers(World& world, History& history, std::string signing_key)
        : world_(world), history_(history), signing_key_(std::move(signing_key)) {}

    void set(EndpointId endpoint, Behaviour behaviour) { behaviours_[endpoint] = behaviour; }
    // From here on every one that can answers well at once.
    void heal();

    const Behaviour& of(EndpointId endpoint) const { return behaviours_.at(endpoint); }
    EndpointId endpoint_of(const std::string& url) const { return by_url_.at(url); }
    void add_url(const std::string& url, EndpointId endpoint) { by_url_[url] = endpoint; }
    bool signature_is_right(const egress::Request& request) const;

    World& world() { return world_; }
    History& history() { return history_; }

private:
    World& world_;
    History& history_;
    std::string signing_key_;
    std::map<EndpointId, Behaviour> behaviours_;
    std::map<std::string, EndpointId> by_url_;
};

// One loop's way to the receivers.
class ScriptedTransport final : public egress::Transport {
public:
    ScriptedTransport(boost::asio::any_io_executor executor, Receivers& receivers, int process)
        : executor_(executor), receivers_(receivers), process_(process) {}

    boost::asio::awaitable<egress::Result> post(egress::Request request) override;
    void close(std::uint64_t group) override;

private:
    enum class Stage : std::uint8_t { connecting, sending, sent };
    struct Pending {
        std::uint64_t group = 0;
        Stage stage = Stage::connecting;
        bool closed = false;
        Event event;
    };

    // Until then, or until it is closed: false.
    static boost::asio::awaitable<bool> stays_open(Pending& pending, SteadyTime until);

    boost::asio::any_io_executor executor_;
    Receivers& receivers_;
    int process_;
    std::list<Pending*> pending_;  // in the order of their beginning: by address, no seed would repeat
};

}  // namespace posthorn::sim
