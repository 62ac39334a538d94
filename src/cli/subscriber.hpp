#pragma once
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "cli/fail_plan.hpp"
#include "http/message.hpp"

namespace posthorn::cli {

// What `posthorn listen` is: it checks each webhook, answers as it was told to, and knows again what it has
// seen. On one thread.
class Subscriber {
public:
    static constexpr std::size_t remembered_ids = 1'000'000;  // the oldest are forgotten

    struct Options {
        std::string secret;  // empty: signatures are not checked
        FailPlan fail;
        int fail_status = 503;
        std::chrono::milliseconds slow{0};  // before each answer
    };

    struct Seen {
        SystemTime time;
        std::string id;          // webhook-id; empty if it was missing
        std::string event_type;  // the payload's "type" or "eventType", if it has one
        std::string path;
        std::size_t body_bytes = 0;
        std::uint64_t request_of_id = 1;  // 2: the same id came for the second time
        bool duplicate = false;           // it had been answered with success before
        bool checked = false;
        bool valid = false;
        std::string reason;  // why it is not
        int answer = 200;
    };
    struct Counts {
        std::uint64_t requests = 0, succeeded = 0, failed = 0, invalid = 0, duplicates = 0;
    };

    // `report` is called for every request right before its answer.
    Subscriber(Options options, std::function<void(const Seen&)> report);

    boost::asio::awaitable<http::Response> answer(http::Request& request);
    const Counts& counts() const { return counts_; }

private:
    struct OfId {
        std::uint64_t requests = 0;
        bool succeeded = false;
    };
    OfId& of(const std::string& id);
    Seen examine(const http::Request& request);

    Options options_;
    std::function<void(const Seen&)> report_;
    Random random_;
    Counts counts_;
    std::unordered_map<std::string, OfId> ids_;
    std::deque<std::string> order_;  // of ids_, oldest first
};

}  // namespace posthorn::cli
