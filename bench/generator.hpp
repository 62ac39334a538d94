#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/event.hpp"
#include "bench/ledger.hpp"
#include "bench/sockets.hpp"

namespace posthorn::bench {

// Set at Ctrl-C: whatever waits stops waiting and throws Interrupted.
extern std::atomic<bool> interrupted;
struct Interrupted {};

struct Load {
    std::chrono::seconds duration;
    // Messages a second, sent when they are due whether or not earlier ones were answered (open loop), as
    // long as a connection is free; the waiting for one counts as latency. Nothing: each connection sends the
    // next as soon as the last was answered (closed loop).
    std::optional<double> rate;
};

struct LoadResult {
    std::uint64_t first = 0, end = 0;  // numbers of the messages
    std::uint64_t accepted = 0;
    std::map<int, std::uint64_t> refused;     // by status
    std::int64_t began_ns = 0, ended_ns = 0;  // the last answer
};

// The backends that submit messages: keep-alive connections, one request at a time on each.
class Generator {
public:
    struct Options {
        std::uint16_t port;              // on 127.0.0.1
        std::vector<std::string> paths;  // message n is posted to paths[n % paths.size()]
        std::string token;
        std::size_t connections;
        std::size_t payload_bytes;
        bool bare = false;  // the payload is all that is sent: for a receiver instead of the service
    };
    // Connects. The ledger outlives this object.
    Generator(const Options& options, Ledger& ledger);

    // Sends and reads all answers, on the calling thread. Throws Interrupted; std::runtime_error when a
    // connection breaks or no answer comes for a minute.
    LoadResult run(const Load& load);

private:
    struct Connection {
        Stream stream;
        std::uint64_t message = 0;  // that is under way
    };
    class Schedule;

    void start_due(Schedule& schedule);
    void send(std::int64_t due);
    void arm_timer(std::int64_t due);
    void clear_timer();
    void read(std::size_t index, LoadResult& result);

    std::string_view body_of(std::uint64_t number);

    Ledger& ledger_;
    Event event_;
    bool bare_;
    std::vector<std::string> heads_;
    std::vector<Connection> connections_;
    std::deque<std::size_t> idle_;  // the one that has been idle longest first
    Poller poller_;
    Descriptor timer_;
};

}  // namespace posthorn::bench
