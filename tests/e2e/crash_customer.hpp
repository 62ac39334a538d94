#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "support/receiver.hpp"
#include "support/service.hpp"

namespace posthorn::test {

// A customer with endpoints, and the backend that sends him events as the documentation says: one after
// another, each with a key, and again with it until it was acknowledged. Keeps what it was told, to hold the
// history to.
class CrashCustomer {
public:
    // The receiver answers by the path's last segment: "flaky" refuses each fourth event once, "gone" answers
    // 410, "refusing" 500 until told otherwise, all others 200.
    CrashCustomer(Service& service, Receiver& receiver, int number);

    void make_endpoint(const std::string& name, boost::json::object more = {});
    void accept_from_now_on();  // "refusing" too

    // The next event, or the one that was not acknowledged. False: no answer came.
    bool send_one();
    void send(std::size_t count);  // each of them acknowledged; throws std::runtime_error else
    // Until no answer comes, or there are so many: one page of attempts lists all of theirs.
    void send_until_dead(std::size_t enough = 60);

    // False: no answer came.
    bool disable(const std::string& name, bool disabled = true);
    bool replay(const std::string& name);
    bool is_disabled(const std::string& name);

    std::size_t sent() const { return events_.size(); }
    std::size_t dead_letters(const std::string& name);
    // How an event's delivery stands: {state, reason}.
    std::pair<std::string, std::string> state_of(std::size_t event, const std::string& name);

    // What was acknowledged is there, once; and nothing else.
    void check_messages();
    // Each was delivered, with at most one duplicate a crash, its bytes as they were sent, and what is shown
    // is what happened. attempts: that an event takes without a crash.
    void check_deliveries(const std::string& name, int crashes, int attempts = 1);
    void check_order(const std::string& name);
    // None of those after the first `before` arrived.
    void check_nothing_after(const std::string& name, std::size_t before);

private:
    struct Event {
        std::string key, payload;
        std::string id;  // empty: not acknowledged
    };
    struct Shown {
        std::map<std::string, int> attempts;  // by message
        std::set<std::string> delivered;
    };

    std::string path_of(const std::string& name) const { return "/" + std::to_string(number_) + "/" + name; }
    std::string api_path(const std::string& rest) const { return "/api/v1/app/" + application_ + rest; }
    bool is_answered(int status, std::string_view method, const std::string& path, std::string_view body);
    Shown shown_attempts(const std::string& name);
    std::vector<Received> received_at(const std::string& name) const;

    Service& service_;
    Receiver& receiver_;
    const int number_;
    std::string application_;
    std::map<std::string, std::string> endpoints_;
    std::vector<Event> events_;
};

}  // namespace posthorn::test
