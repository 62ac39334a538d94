#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "domain/verdict.hpp"

namespace posthorn::test {

// Writes messages and what became of them into the tables, as ingest and the workers would have left them.
class DeliveryRows {
public:
    explicit DeliveryRows(std::string conninfo) : conninfo_(std::move(conninfo)) {}

    struct Message {
        std::string payload = "{}";
        std::string event_type = "user.created";
        std::vector<std::string> channels = {};
        std::string event_id = {};
    };
    MessageId message(ApplicationId application, SystemTime at, Message what) const;
    MessageId message(ApplicationId application, SystemTime at) const {
        return message(application, at, Message());
    }

    struct Attempt {
        int status_code = 200;
        std::string response = "ok";
        bool manual = false;
    };
    AttemptId attempt(ApplicationId application, EndpointId endpoint, MessageId message, SystemTime at,
                      Attempt what) const;

    // Live; `attempt` is the number of the one to come, `due` an SQL expression.
    void live(ApplicationId application, EndpointId endpoint, MessageId message, int attempt,
              const std::string& due = "clock_timestamp()") const;

    void dead_letter(OrganizationId organization, ApplicationId application, EndpointId endpoint,
                     MessageId message, domain::DeadLetterReason reason = domain::DeadLetterReason::exhausted,
                     const std::string& ended_at = "clock_timestamp()",
                     const std::string& event_type = "user.created") const;

private:
    void sql(const std::string& text) const;

    std::string conninfo_;
};

// An id between quotes, for SQL.
template <class Tag>
std::string quoted_id(const Id<Tag>& id) {
    return "'" + to_string(id.value) + "'";
}

}  // namespace posthorn::test
