#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/demo_receiver.hpp"
#include "cli/demo_report.hpp"
#include "cli/demo_service.hpp"
#include "cli/progress_line.hpp"
#include "cli/replay_progress.hpp"
#include "cli/run_commands.hpp"
#include "cli/stop_signals.hpp"
#include "domain/signature.hpp"

namespace posthorn::cli {

namespace json = boost::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
// One event in so many is an invoice: the failing endpoint wants nothing else. One invoice in so many is in a
// currency that its software does not know, until it is repaired: those become dead letters. The others are
// refused once. So few failures follow one another that the circuit breaker, which would park the endpoint's
// deliveries for seconds, stays closed.
constexpr int events_per_invoice = 10;
constexpr int invoices_per_dead_letter = 5;
constexpr std::string_view unknown_currency = "XTS";  // ISO 4217: for testing
constexpr std::string_view invoice_type = "invoice.paid";
constexpr std::array<std::string_view, 3> other_types{"user.created", "order.shipped", "user.deleted"};

constexpr milliseconds sending_time{6'000};  // spread over it, so that there is something to see
constexpr milliseconds poll_interval{50};
constexpr std::chrono::seconds settle_limit{90};
constexpr std::size_t log_shown_bytes = 3'000;

struct DemoOptions {
    int events = 300;
    bool exit = false;
    std::string data_dir;
};

std::string new_secret() {
    return domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256).text().reveal();
}

class Demo {
public:
    Demo(const DemoOptions& options, StopSignals& signals)
        : options_(options),
          signals_(signals),
          service_(options.data_dir),
          good_(good_secret_, [](const std::string&, int) { return false; }),
          failing_(failing_secret_, [this](const std::string& body, int nth) { return refuses(body, nth); }) {
    }

    bool run();
    void keep_serving();
    std::string end_of_log() const;
    bool stop() { return service_.stop() == exit_ok; }

private:
    bool refuses(const std::string& body, int nth) const {
        return nth == 1 || (!repaired_ && body.find(unknown_currency) != std::string::npos);
    }
    void create(ApiSession& api);
    std::string create_endpoint(ApiSession& api, std::string_view description, const std::string& url,
                                const std::string& secret, json::array event_types);
    void send_events(ApiSession& api);
    void send_event(ApiSession& api, int number);
    void wait_until_settled(ApiSession& api);
    void replay(ApiSession& api);
    template <class Condition>
    void wait_for(const std::string& what, Condition condition);
    void show_progress(const std::string& step, int dead_letters);
    void print_how_to_go_on() const;

    int invoices() const { return (options_.events + events_per_invoice - 1) / events_per_invoice; }
    int unknown_invoices() const {
        return (invoices() + invoices_per_dead_letter - 1) / invoices_per_dead_letter;
    }

    const DemoOptions& options_;
    StopSignals& signals_;
    const std::string good_secret_ = new_secret(), failing_secret_ = new_secret();
    std::atomic<bool> repaired_ = false;
    DemoService service_;
    DemoReceiver good_, failing_;
    std::string good_endpoint_, failing_endpoint_;
    DemoEvents events_;
    ProgressLine progress_;
};

std::string Demo::end_of_log() const {
    const auto log = service_.log();
    return log.size() > log_shown_bytes ? log.substr(log.size() - log_shown_bytes) : log;
}

template <class Condition>
void Demo::wait_for(const std::string& what, Condition condition) {
    const auto deadline = steady_clock::now() + settle_limit;
    while (!condition()) {
        signals_.pause(poll_interval);
        if (!service_.running()) throw CommandFailed("the service has ended");
        if (steady_clock::now() >= deadline)
            throw CommandFailed(fmt::format("{} took longer than {} s", what, settle_limit.count()));
    }
}

void Demo::show_progress(const std::string& step, int dead_letters) {
    const auto good = good_.seen();
    const auto failing = failing_.seen();
    progress_.show(
        fmt::format("{:<10} accepted {} | good: {} delivered | failing: {} requests, {} delivered, {} dead",
                    step, events_.payloads.size(), good.succeeded_messages(), failing.requests,
                    failing.succeeded_messages(), dead_letters));
}

std::string Demo::create_endpoint(ApiSession& api, std::string_view description, const std::string& url,
                                  const std::string& secret, json::array event_types) {
    json::object endpoint{{"url", url}, {"secret", secret}, {"description", description}};
    if (!event_types.empty()) endpoint["eventTypes"] = std::move(event_types);
    return text_field(api.expect("POST", fmt::format("/api/v1/app/{}/endpoint", events_.application),
                                 json::serialize(endpoint)),
                      "id");
}

void Demo::create(ApiSession& api) {
    for (const auto type : {invoice_type, other_types[0], other_types[1], other_types[2]}) {
        const json::object event_type{{"name", type}, {"description", "of the demo"}};
        const auto answer = api.call("POST", "/api/v1/event-type", json::serialize(event_type));
        if (answer.status != 201 && answer.status != 409) throw explain_answer(answer);
    }
    events_.application = text_field(api.expect("POST", "/api/v1/app", R"({"name":"Demo"})"), "id");
    good_endpoint_ = create_endpoint(api, "good", good_.url(), good_secret_, {});
    failing_endpoint_ =
        create_endpoint(api, "failing at first", failing_.url(), failing_secret_, {invoice_type});
}

void Demo::send_event(ApiSession& api, int number) {
    const bool invoice = number % events_per_invoice == 0;
    const int nth_invoice = number / events_per_invoice;
    const auto type =
        invoice ? invoice_type : other_types[static_cast<std::size_t>(number) % other_types.size()];
    const auto currency = invoice && nth_invoice % invoices_per_dead_letter == 0 ? unknown_currency : "EUR";
    // Spaces, the spelling of the number and the escape arrive as they are here.
    const auto payload = fmt::format(
        R"({{ "number": {}, "amount": 10.50, "currency":"{}", "to": "M\u00fcller & S\u00f6hne" }})",
        number + 1, currency);
    const auto body = fmt::format(R"({{"eventType":"{}","payload":{}}})", type, payload);
    const auto id =
        text_field(api.expect("POST", fmt::format("/api/v1/app/{}/msg", events_.application), body), "id");
    events_.payloads.emplace(id, payload);
    events_.types.emplace(id, type);
}

void Demo::send_events(ApiSession& api) {
    const auto begin = steady_clock::now();
    for (int number = 0; number < options_.events; ++number) {
        const auto due = begin + sending_time * number / options_.events;
        while (steady_clock::now() < due) {
            show_progress("sending", count_dead_letters(api, events_.application));
            signals_.pause(std::clamp(std::chrono::ceil<milliseconds>(due - steady_clock::now()),
                                      milliseconds(1), poll_interval));
        }
        signals_.pause(milliseconds(0));
        send_event(api, number);
    }
}

void Demo::wait_until_settled(ApiSession& api) {
    wait_for("delivering", [&] {
        const int dead_letters = count_dead_letters(api, events_.application);
        show_progress("delivering", dead_letters);
        return good_.seen().succeeded_messages() == options_.events && dead_letters == unknown_invoices() &&
               failing_.seen().succeeded_messages() == invoices() - unknown_invoices();
    });
}

void Demo::replay(ApiSession& api) {
    repaired_ = true;
    auto job = start_replay(api, fmt::format("/api/v1/app/{}/dead-letter/replay", events_.application), {});
    wait_for("the replay", [&] {
        if (job.running()) job = read_replay(api, job.id);
        const int dead_letters = count_dead_letters(api, events_.application);
        show_progress("replaying", dead_letters);
        return !job.running() && dead_letters == 0 && failing_.seen().succeeded_messages() == invoices();
    });
}

void Demo::print_how_to_go_on() const {
    fmt::print(
        "\nThe API is at   {}\nA token for it  {}\n\nTry it: the good endpoint of this demo gets the event, "
        "shown below.\n\n"
        "  curl -X POST {}/api/v1/app/{}/msg \\\n    -H 'Authorization: Bearer {}' \\\n"
        "    -H 'Content-Type: application/json' \\\n"
        "    -d '{{\"eventType\": \"user.created\", \"payload\": {{\"hello\": \"world\"}}}}'\n\n",
        service_.url(), service_.token(), service_.url(), events_.application, service_.token());
}

bool Demo::run() {
    fmt::print("Starting the service with a PostgreSQL of its own...\n");
    std::fflush(stdout);
    service_.wait_until_ready(signals_);
    auto api = service_.connect();
    create(api);
    fmt::print("It runs at {}. {} events go to two endpoints; one of them fails at first.\n", service_.url(),
               options_.events);
    send_events(api);
    wait_until_settled(api);
    progress_.finish();
    fmt::print("The failing endpoint is repaired; its {} dead letters are replayed.\n", unknown_invoices());
    replay(api);
    progress_.finish();
    DemoReport report;
    const std::vector<DemoEndpoint> endpoints{
        {"good endpoint", good_endpoint_, "", &good_},
        {"failing endpoint", failing_endpoint_, std::string(invoice_type), &failing_}};
    // The last attempts may still be on their way into the log.
    const auto deadline = steady_clock::now() + std::chrono::seconds(10);
    do {
        report = make_demo_report(api, events_, endpoints);
        if (!report.problems.empty()) signals_.pause(poll_interval * 4);
    } while (!report.problems.empty() && steady_clock::now() < deadline);
    print_demo_report(report);
    print_how_to_go_on();
    std::fflush(stdout);
    return report.problems.empty();
}

void Demo::keep_serving() {
    fmt::print("Serving until Ctrl-C.\n");
    std::fflush(stdout);
    auto known = good_.seen().messages;
    while (true) {
        signals_.pause(poll_interval * 4);
        if (!service_.running()) throw CommandFailed("the service has ended");
        for (auto& [id, message] : good_.seen().messages)
            if (known.emplace(id, message).second)
                fmt::print("the good endpoint got {}: {}\n", id, message.body);
        std::fflush(stdout);
    }
}

int run(const DemoOptions& options) {
    StopSignals signals;
    Demo demo(options, signals);
    bool succeeded = false;
    try {
        succeeded = demo.run();
        if (!options.exit) demo.keep_serving();
    } catch (const Interrupted&) {
        fmt::print("\nStopping the service.\n");
    } catch (const std::exception&) {
        fmt::print(stderr, "\nThe end of the service's log:\n{}\n", demo.end_of_log());
        throw;
    }
    if (!demo.stop()) throw CommandFailed("the service did not end cleanly", demo.end_of_log());
    return succeeded ? exit_ok : exit_failed;
}
}  // namespace

int run_demo(int argc, char** argv) {
    const auto app =
        make_app("demo",
                 "The whole service at work: events go to two endpoints, one of which fails at first, is "
                 "retried, dead-lettered, repaired and replayed.",
                 "Exit status: 0 only if every number adds up.");
    DemoOptions options;
    app->add_flag("--exit", options.exit, "end when it is over, instead of serving on until Ctrl-C");
    app->add_option("--events", options.events, "submit so many")
        ->check(CLI::Range(50, 100'000))
        ->capture_default_str();
    app->add_option("--data-dir", options.data_dir, "directory to keep (default: a temporary one)");
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;
    return run(options);
}

}  // namespace posthorn::cli
