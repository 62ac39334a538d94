#include "cli/demo_report.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace posthorn::cli {

namespace json = boost::json;

namespace {
constexpr std::int64_t status_success = 0;  // of attempts, in the compatible API
constexpr std::int64_t trigger_manual = 1;
constexpr std::size_t longest_problem_list = 10;

// The attempts of one message at one endpoint.
struct Attempts {
    int scheduled = 0, scheduled_succeeded = 0;
    int manual = 0, manual_succeeded = 0;

    int all() const { return scheduled + manual; }
    int succeeded() const { return scheduled_succeeded + manual_succeeded; }
};

std::map<std::string, Attempts> read_attempts(ApiSession& api, const std::string& application,
                                              const std::string& endpoint) {
    std::map<std::string, Attempts> by_message;
    for_each_item(api, fmt::format("/api/v1/app/{}/attempt/endpoint/{}", application, endpoint),
                  [&](const json::object& item) {
                      auto& attempts = by_message[text_field(item, "msgId")];
                      const bool succeeded = item.at("status").as_int64() == status_success;
                      const bool manual = item.at("triggerType").as_int64() == trigger_manual;
                      ++(manual ? attempts.manual : attempts.scheduled);
                      if (succeeded) ++(manual ? attempts.manual_succeeded : attempts.scheduled_succeeded);
                      return true;
                  });
    return by_message;
}

void count(const Attempts& attempts, EndpointFigures& figures) {
    figures.attempts += attempts.all();
    if (attempts.scheduled_succeeded > 0)
        ++(attempts.scheduled == 1 ? figures.at_first_attempt : figures.after_retries);
    else
        ++figures.dead_lettered;
    if (attempts.manual_succeeded > 0) ++figures.replayed;
}

class Comparison {
public:
    Comparison(ApiSession& api, const DemoEvents& events, DemoReport& report)
        : api_(api), events_(events), report_(report) {}

    // What the API lists is what it accepted, with the payloads that were sent.
    void compare_messages() {
        std::size_t listed = 0;
        for_each_item(
            api_, fmt::format("/api/v1/app/{}/msg?with_content=true", events_.application),
            [&](const json::object& item) {
                const auto id = text_field(item, "id");
                const auto sent = events_.payloads.find(id);
                if (sent == events_.payloads.end())
                    problem(fmt::format("the API lists {}, which was never accepted", id));
                else if (item.at("payload") != json::parse(sent->second))
                    problem(fmt::format("the API shows another payload for {} than was submitted", id));
                ++listed;
                return true;
            });
        if (listed != events_.payloads.size())
            problem(fmt::format("{} events were accepted, but the API lists {}", events_.payloads.size(),
                                listed));
    }

    void compare_endpoint(const DemoEndpoint& endpoint) {
        const auto by_message = read_attempts(api_, events_.application, endpoint.id);
        const auto seen = endpoint.receiver->seen();
        EndpointFigures figures;
        for (const auto& [id, type] : events_.types) {
            if (!endpoint.event_type.empty() && endpoint.event_type != type) continue;
            ++figures.expected;
            const auto attempts = by_message.find(id);
            const auto received = seen.messages.find(id);
            if (attempts == by_message.end() || received == seen.messages.end()) {
                problem(fmt::format("{} did not reach the {}", id, endpoint.title));
                continue;
            }
            count(attempts->second, figures);
            compare_message(endpoint, id, attempts->second, received->second, figures);
        }
        if (by_message.size() != static_cast<std::size_t>(figures.expected) ||
            seen.messages.size() != by_message.size())
            problem(fmt::format("the {} should have had {} messages; the API tells of {}, the receiver of {}",
                                endpoint.title, figures.expected, by_message.size(), seen.messages.size()));
        figures.requests = seen.requests;
        figures.duplicates = seen.duplicates();
        figures.invalid_signatures = seen.invalid_signatures;
        if (figures.duplicates + figures.invalid_signatures > 0)
            problem(fmt::format("the {} got {} duplicates and {} invalid signatures", endpoint.title,
                                figures.duplicates, figures.invalid_signatures));
        report_.endpoints.emplace_back(endpoint, figures);
    }

    void problem(std::string text) { report_.problems.push_back(std::move(text)); }

private:
    void compare_message(const DemoEndpoint& endpoint, const std::string& id, const Attempts& attempts,
                         const DemoReceiver::OfMessage& received, EndpointFigures& figures) {
        if (attempts.all() != received.requests || attempts.succeeded() != received.succeeded)
            problem(fmt::format(
                "{} at the {}: the API tells of {} attempts, {} with success; the receiver saw {} and {}", id,
                endpoint.title, attempts.all(), attempts.succeeded(), received.requests, received.succeeded));
        if (received.succeeded == 0) problem(fmt::format("{} never succeeded at the {}", id, endpoint.title));
        if (!received.same_body || received.body != events_.payloads.at(id)) {
            ++figures.altered;
            problem(
                fmt::format("{} came to the {} with other bytes than were submitted", id, endpoint.title));
        }
    }

    ApiSession& api_;
    const DemoEvents& events_;
    DemoReport& report_;
};

void print_row(const DemoReport& report, std::string_view title, int EndpointFigures::* figure) {
    fmt::print("  {:<37}", title);
    for (const auto& [endpoint, figures] : report.endpoints) fmt::print("{:>18}", figures.*figure);
    fmt::print("\n");
}
}  // namespace

int count_dead_letters(ApiSession& api, const std::string& application) {
    int letters = 0;
    for_each_item(api, fmt::format("/api/v1/app/{}/dead-letter", application), [&](const json::object&) {
        ++letters;
        return true;
    });
    return letters;
}

DemoReport make_demo_report(ApiSession& api, const DemoEvents& events,
                            const std::vector<DemoEndpoint>& endpoints) {
    DemoReport report;
    report.accepted = static_cast<int>(events.payloads.size());
    Comparison comparison(api, events, report);
    comparison.compare_messages();
    for (const auto& endpoint : endpoints) comparison.compare_endpoint(endpoint);
    report.dead_letters_left = count_dead_letters(api, events.application);
    if (report.dead_letters_left > 0)
        comparison.problem(fmt::format("{} dead letters are left", report.dead_letters_left));
    return report;
}

void print_demo_report(const DemoReport& report) {
    fmt::print("\n{} events were accepted by the API. What became of them, read back through the API:\n\n",
               report.accepted);
    fmt::print("  {:<37}", "");
    for (const auto& [endpoint, figures] : report.endpoints) fmt::print("{:>18}", endpoint.title);
    fmt::print("\n");
    print_row(report, "to be delivered", &EndpointFigures::expected);
    print_row(report, "delivered at the first attempt", &EndpointFigures::at_first_attempt);
    print_row(report, "delivered after retries", &EndpointFigures::after_retries);
    print_row(report, "dead-lettered", &EndpointFigures::dead_lettered);
    print_row(report, "replayed and then delivered", &EndpointFigures::replayed);
    print_row(report, "attempts, as the API tells", &EndpointFigures::attempts);
    print_row(report, "requests, as the receiver saw", &EndpointFigures::requests);
    print_row(report, "duplicates", &EndpointFigures::duplicates);
    print_row(report, "invalid signatures", &EndpointFigures::invalid_signatures);
    print_row(report, "payloads not byte for byte the same", &EndpointFigures::altered);
    fmt::print("\n");
    if (report.problems.empty()) {
        fmt::print(
            "Every number adds up: nothing was lost, nothing came twice, every signature was right.\n");
        return;
    }
    fmt::print("{} things do NOT add up:\n", report.problems.size());
    for (std::size_t i = 0; i < report.problems.size() && i < longest_problem_list; ++i)
        fmt::print("  {}\n", report.problems[i]);
}

}  // namespace posthorn::cli
