#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <thread>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "base/timestamp.hpp"
#include "cli/api_session.hpp"
#include "cli/command.hpp"
#include "cli/replay_progress.hpp"
#include "cli/run_commands.hpp"

namespace posthorn::cli {

namespace json = boost::json;

namespace {
constexpr std::chrono::milliseconds progress_interval{500};

struct Filter {
    std::string application, endpoint, reason, since, until;
    std::vector<std::string> event_types;
};

void add_filter(CLI::App& command, Filter& filter) {
    command.add_option("--app", filter.application, "of this application (id or uid)");
    command.add_option("--endpoint", filter.endpoint, "of this endpoint (id; with --app also its uid)");
    command.add_option("--event-type", filter.event_types, "of this event type (may be repeated)");
    command.add_option("--reason", filter.reason,
                       "exhausted, endpoint-disabled, gone, expired, aborted-by-receiver or undeliverable");
    command.add_option("--since", filter.since,
                       "messages from then on: 2026-11-23T12:00:00Z, or 2h for two hours ago");
    command.add_option("--until", filter.until, "messages before then");
}

std::string time_of(const std::string& option, const std::string& text) {
    if (const auto ago = parse_duration(text)) return format_timestamp(RealClock().system_now() - *ago);
    if (const auto time = parse_timestamp(text)) return format_timestamp(*time);
    throw UsageError(
        fmt::format("{} must be a time such as 2026-11-23T12:00:00Z, or a duration such as 2h; not \"{}\"",
                    option, text));
}

std::string path_of(const Filter& filter) {
    if (filter.application.empty()) return "/api/v1/dead-letter";
    return fmt::format("/api/v1/app/{}/dead-letter", encoded(filter.application));
}

std::string query_of(const Filter& filter) {
    std::string query;
    if (!filter.endpoint.empty()) query += "&endpoint_id=" + encoded(filter.endpoint);
    for (const auto& type : filter.event_types) query += "&event_types=" + encoded(type);
    if (!filter.reason.empty()) query += "&reason=" + encoded(filter.reason);
    if (!filter.since.empty()) query += "&after=" + encoded(time_of("--since", filter.since));
    if (!filter.until.empty()) query += "&before=" + encoded(time_of("--until", filter.until));
    if (!query.empty()) query.front() = '?';
    return query;
}

json::object body_of(const Filter& filter) {
    json::object body;
    if (!filter.endpoint.empty()) body["endpointId"] = filter.endpoint;
    if (!filter.event_types.empty()) body["eventTypes"] = json::value_from(filter.event_types);
    if (!filter.reason.empty()) body["reason"] = filter.reason;
    if (!filter.since.empty()) body["after"] = time_of("--since", filter.since);
    if (!filter.until.empty()) body["before"] = time_of("--until", filter.until);
    return body;
}

void print_letter(const json::object& letter, bool as_json) {
    if (as_json) {
        fmt::print("{}\n", json::serialize(letter));
        return;
    }
    const auto* attempts = letter.if_contains("attempts");
    fmt::print("{}  {}  {}  {}  {} after {} attempts\n", text_field(letter, "endedAt"),
               text_field(letter, "msgId"), text_field(letter, "endpointId"), text_field(letter, "eventType"),
               text_field(letter, "reason"), attempts ? json::serialize(*attempts) : "?");
}

int list(ApiSession api, const Filter& filter, std::size_t limit, bool as_json) {
    std::size_t shown = 0;
    for_each_item(api, path_of(filter) + query_of(filter), [&](const json::object& letter) {
        if (shown == limit) {
            fmt::print(stderr, "there are more than {}: --limit shows them\n", limit);
            return false;
        }
        ++shown;
        print_letter(letter, as_json);
        return true;
    });
    if (shown == 0) fmt::print(stderr, "there are no dead letters\n");
    return exit_ok;
}

void show(const ReplayProgress& progress) {
    if (isatty(STDERR_FILENO) != 0)
        fmt::print(stderr, "\rreplay {}: {} queued again", progress.id, progress.replayed);
}

int replay(ApiSession api, const Filter& filter, int rate_limit, bool wait) {
    auto body = body_of(filter);
    if (rate_limit > 0) body["rateLimit"] = rate_limit;
    auto progress = start_replay(api, path_of(filter) + "/replay", body);
    if (!wait) {
        fmt::print("{}\n", progress.id);
        return exit_ok;
    }
    while (progress.running()) {
        show(progress);
        std::this_thread::sleep_for(progress_interval);
        progress = read_replay(api, progress.id);
    }
    fmt::print(stderr, "{}", isatty(STDERR_FILENO) != 0 ? "\r" : "");
    fmt::print("replay {} {}: {} dead letters queued again\n", progress.id, progress.status,
               progress.replayed);
    return progress.status == "finished" ? exit_ok : exit_failed;
}
}  // namespace

int run_dead_letters(int argc, char** argv) {
    const auto app = make_app("dead-letters", "Lists what could not be delivered, and replays it.");
    app->require_subcommand(1);
    Filter filter;
    std::size_t limit = 1'000;
    bool as_json = false, no_wait = false;
    int rate_limit = 0;
    auto* list_command = app->add_subcommand("list", "shows dead letters, the newest first");
    add_filter(*list_command, filter);
    list_command->add_option("--limit", limit, "show so many at most")->capture_default_str();
    list_command->add_flag("--json", as_json, "a JSON object a line");
    const ApiFlags list_flags(*list_command);
    auto* replay_command =
        app->add_subcommand("replay", "queues dead letters again and waits until that is done");
    add_filter(*replay_command, filter);
    replay_command->add_option("--rate-limit", rate_limit, "so many a second at most")
        ->check(CLI::Range(1, 10'000));
    replay_command->add_flag("--no-wait", no_wait, "only print the replay's id");
    const ApiFlags replay_flags(*replay_command);
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;
    if (list_command->parsed()) return list(list_flags.connect(), filter, limit, as_json);
    return replay(replay_flags.connect(), filter, rate_limit, !no_wait);
}

}  // namespace posthorn::cli
