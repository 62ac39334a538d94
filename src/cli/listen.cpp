#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>

#include "base/duration.hpp"
#include "base/timestamp.hpp"
#include "cli/command.hpp"
#include "cli/run_commands.hpp"
#include "cli/subscriber.hpp"
#include "cli/webhook_receiver.hpp"

namespace posthorn::cli {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr std::chrono::seconds stop_grace{2};

std::string verdict_of(const Subscriber::Seen& seen) {
    if (!seen.checked) return "not checked";
    return seen.valid ? "valid" : "INVALID: " + seen.reason;
}

void print_line(const Subscriber::Seen& seen) {
    const auto again = seen.request_of_id > 1 ? fmt::format(" (request {} of this id{})", seen.request_of_id,
                                                            seen.duplicate ? ", a duplicate" : "")
                                              : "";
    fmt::print("{}  {}  {}{}{}  {}  -> {}\n", format_timestamp(seen.time),
               seen.id.empty() ? "(no webhook-id)" : seen.id, seen.event_type,
               seen.event_type.empty() ? "" : " ", again, verdict_of(seen), seen.answer);
    std::fflush(stdout);
}

void print_json(const Subscriber::Seen& seen) {
    json::object line{{"time", format_timestamp(seen.time)},
                      {"id", seen.id},
                      {"type", seen.event_type},
                      {"path", seen.path},
                      {"bytes", seen.body_bytes},
                      {"request", seen.request_of_id},
                      {"duplicate", seen.duplicate},
                      {"verdict", !seen.checked ? "not checked"
                                  : seen.valid  ? "valid"
                                                : "invalid"},
                      {"reason", seen.reason},
                      {"answer", seen.answer}};
    fmt::print("{}\n", json::serialize(line));
    std::fflush(stdout);
}

void print_summary(const Subscriber::Counts& counts) {
    fmt::print(stderr,
               "{} requests: {} answered with success, {} failed; {} invalid signatures, {} duplicates\n",
               counts.requests, counts.succeeded, counts.failed, counts.invalid, counts.duplicates);
}

struct ListenOptions {
    std::uint16_t port = 0;
    std::string fail, slow = "0s";
    std::uint64_t exit_after = 0;  // 0: never
    bool as_json = false;
    Subscriber::Options subscriber;
};

void add_options(CLI::App& app, ListenOptions& options) {
    app.add_option("--port", options.port, "port on 127.0.0.1; 0 takes a free one")->capture_default_str();
    app.add_option("--secret", options.subscriber.secret, "the endpoint's secret (whsec_... or whpk_...)")
        ->type_name("SECRET");
    app.add_option("--fail", options.fail, "fail the first N requests, all, or RATE%")
        ->type_name("N|all|RATE%");
    app.add_option("--status", options.subscriber.fail_status, "the status of failures")
        ->check(CLI::Range(100, 599))
        ->capture_default_str();
    app.add_option("--slow", options.slow, "wait so long before each answer")->type_name("TIME");
    app.add_option("--exit-after", options.exit_after, "end after so many requests")->type_name("N");
    app.add_flag("--json", options.as_json, "a JSON object a line");
}

void complete(ListenOptions& options) {
    const auto slow = parse_duration(options.slow);
    if (!slow)
        throw UsageError(
            fmt::format("--slow must be a duration, such as 500ms or 10s; not \"{}\"", options.slow));
    options.subscriber.slow = *slow;
    if (options.fail.empty()) return;
    const auto plan = FailPlan::parse(options.fail);
    if (!plan)
        throw UsageError(
            fmt::format("--fail must be a number, all, or a share such as 25%; not \"{}\"", options.fail));
    options.subscriber.fail = *plan;
}

Subscriber::Counts listen(const ListenOptions& options) {
    asio::io_context loop(1);
    std::function<void()> stop;
    std::uint64_t requests = 0;
    Subscriber subscriber(options.subscriber, [&](const Subscriber::Seen& seen) {
        options.as_json ? print_json(seen) : print_line(seen);
        if (++requests == options.exit_after) stop();
    });
    http::ServerOptions server_options;
    server_options.listen = {asio::ip::address_v4::loopback(), options.port};
    server_options.body_limit_bytes = longest_webhook_bytes;
    server_options.access_log = false;
    http::Server server(server_options, make_webhook_router([&](http::Request& request) {
                            return subscriber.answer(request);
                        }));
    server.open(loop.get_executor());
    asio::signal_set signals(loop, SIGINT, SIGTERM);
    stop = [&] { server.stop(stop_grace); };
    signals.async_wait([&](boost::system::error_code error, int) {
        if (!error) stop();
    });
    std::exception_ptr failure;
    asio::co_spawn(loop, server.run(), [&](std::exception_ptr error) {
        failure = std::move(error);
        signals.cancel();
    });
    fmt::print(stderr, "listening on http://127.0.0.1:{}/ (Ctrl-C ends){}\n", server.local_endpoint().port(),
               options.subscriber.secret.empty() ? "; signatures are not checked: give --secret" : "");
    loop.run();
    if (failure) std::rethrow_exception(failure);
    return subscriber.counts();
}
}  // namespace

int run_listen(int argc, char** argv) {
    const auto app = make_app(
        "listen", "A local subscriber: shows each webhook, checks its signature, misbehaves on request.",
        "Requests with a wrong signature are answered 401. Private addresses must be allowed to the "
        "service: POSTHORN_ALLOW_NETWORKS=127.0.0.0/8.\nExit status: 1 if a signature was wrong.");
    ListenOptions options;
    add_options(*app, options);
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;
    complete(options);
    const auto counts = listen(options);
    print_summary(counts);
    return counts.invalid == 0 ? exit_ok : exit_failed;
}

}  // namespace posthorn::cli
