#pragma once
#include <map>
#include <string>
#include <vector>

#include "cli/api_session.hpp"
#include "cli/demo_receiver.hpp"

namespace posthorn::cli {

// What the demo has submitted.
struct DemoEvents {
    std::string application;
    std::map<std::string, std::string> payloads;  // by message id, as sent
    std::map<std::string, std::string> types;     // by message id
};

// One endpoint, once as the API tells it and once as its receiver saw it.
struct DemoEndpoint {
    std::string title, id;
    std::string event_type;  // empty: all
    const DemoReceiver* receiver = nullptr;
};

// In messages, unless it says otherwise.
struct EndpointFigures {
    int expected = 0;  // were to be delivered
    int at_first_attempt = 0;
    int after_retries = 0;
    int dead_lettered = 0;
    int replayed = 0;            // and delivered
    int attempts = 0;            // as the API tells
    int requests = 0;            // as the receiver saw
    int duplicates = 0;          // requests
    int invalid_signatures = 0;  // requests
    int altered = 0;             // bodies that are not what was submitted
};

struct DemoReport {
    int accepted = 0;
    std::vector<std::pair<DemoEndpoint, EndpointFigures>> endpoints;
    int dead_letters_left = 0;
    std::vector<std::string> problems;  // empty: every number adds up
};

// Reads everything back through the API and compares it with what was sent and received.
DemoReport make_demo_report(ApiSession& api, const DemoEvents& events,
                            const std::vector<DemoEndpoint>& endpoints);
void print_demo_report(const DemoReport& report);

int count_dead_letters(ApiSession& api, const std::string& application);

}  // namespace posthorn::cli
