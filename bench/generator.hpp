#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
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
void throw_if_interrupted();

struct Load {
    std::chrono::milliseconds duration;
    // Requests a second, sent when they are due whether or not earlier ones were answered (open loop), as
    // long as a connection is free; the waiting for one counts as latency. Nothing: each connection sends the
    // next as soon as the last was answered (closed loop).
    std::optional<double> rate = std::nullopt;
    // Called about every 20 ms; no more is sent once it says false. May be empty.
    std::function<bool()> keep_going = nullptr;
};

struct LoadResult {
    std::uint64_t first = 0, end = 0;         // numbers of the deliveries
    std::uint64_t messages = 0;               // that were accepted
    std::map<int, std::uint64_t> refused;     // by status
    std::int64_t began_ns = 0, ended_ns = 0;  // the last answer
};

// Where messages are posted to, and who gets them.
struct Target {
    std::string path;
    Destination destination;
};

// The backends that submit messages: keep-alive connections, one request at a time on each.
class Generator {
public:
    struct Options {
        std::vector<std::uint16_t> ports;  // on 127.0.0.1; the connections are shared out among them
        std::vector<Target> targets;       // taken in turn
        std::string token;
        std::size_t connections;
        std::size_t payload_bytes;
        std::size_t messages_per_request = 1;  // more: by batch requests
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
        std::uint64_t first = 0, end = 0;  // deliveries of the request that is under way
    };
    class Schedule;

    void start_due(Schedule& schedule);
    void send(std::int64_t due);
    void arm_timer(std::int64_t due);
    void clear_timer();
    void serve(const epoll_event& event, LoadResult& result);
    void read(Connection& connection, std::size_t index, LoadResult& result);
    void note_answer(const Connection& connection, int status, LoadResult& result);
    std::string_view body_of(const Target& target, std::int64_t due);

    Ledger& ledger_;
    Event event_;
    std::vector<Target> targets_;
    std::size_t next_target_ = 0;
    std::size_t messages_per_request_;
    bool bare_;
    std::string batch_;
    std::vector<std::string> heads_;
    std::vector<Connection> connections_;
    std::deque<std::size_t> idle_;  // the one that has been idle longest first
    Poller poller_;
    Descriptor timer_;
};

}  // namespace posthorn::bench
