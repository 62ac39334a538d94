#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/api_session.hpp"
#include "cli/command.hpp"
#include "cli/read_input.hpp"
#include "cli/run_commands.hpp"

namespace posthorn::cli {

namespace json = boost::json;

namespace {
constexpr std::size_t longest_payload_bytes = 1024 * 1024;  // the API takes no more
constexpr std::size_t deepest_payload = 1024;

struct Event {
    std::string application, type, file = "-", event_id, idempotency_key;
    std::vector<std::string> channels;
    int times = 1;
    bool create_application = false;
};

// The service would refuse it too, but can not say where in the file it is broken.
void check_payload(const std::string& payload, const std::string& file) {
    json::stream_parser parser(json::storage_ptr{}, [] {
        json::parse_options options;
        options.max_depth = deepest_payload;
        return options;
    }());
    boost::system::error_code error;
    const auto parsed = parser.write_some(payload.data(), payload.size(), error);
    const auto name = file == "-" ? "stdin" : file;
    if (!error && parsed == payload.size()) parser.finish(error);
    if (error || parsed < payload.size())
        throw CommandFailed(fmt::format("what {} holds is not JSON: {} at byte {}", name,
                                        error ? error.message() : "there is more after its end", parsed),
                            "An event's payload is one JSON object, such as {\"id\": 42}.");
    if (!parser.release().is_object())
        throw CommandFailed(fmt::format("what {} holds is JSON, but no object", name),
                            "An event's payload is one JSON object, such as {\"id\": 42}.");
}

// Joined, not serialised: the payload's bytes stay what they are.
std::string request_body(const Event& event, const std::string& payload) {
    json::object rest{{"eventType", event.type}};
    if (!event.channels.empty()) rest["channels"] = json::value_from(event.channels);
    if (!event.event_id.empty()) rest["eventId"] = event.event_id;
    auto body = json::serialize(rest);
    body.pop_back();
    return body + ",\"payload\":" + payload + "}";
}

void create_application(ApiSession& api, const std::string& uid) {
    api.expect("POST", "/api/v1/app?get_if_exists=true",
               json::serialize(json::object{{"name", uid}, {"uid", uid}}));
}

void submit(ApiSession& api, const Event& event, const std::string& body) {
    egress::ApiClient::Fields fields;
    if (!event.idempotency_key.empty()) fields.emplace_back("Idempotency-Key", event.idempotency_key);
    const auto path = fmt::format("/api/v1/app/{}/msg", encoded(event.application));
    auto answer = api.call("POST", path, body, fields);
    if (answer.status == 404 && event.create_application) {
        create_application(api, event.application);
        answer = api.call("POST", path, body, fields);
    }
    if (answer.status == 404)
        throw CommandFailed(
            fmt::format("there is no application \"{}\"", event.application),
            "--create-app makes it; with --token, is it a token of the application's organization?");
    if (answer.status < 200 || answer.status > 299) throw explain_answer(answer);
    fmt::print("{}\n", text_field(json::parse(answer.body), "id"));
}
}  // namespace

int run_send(int argc, char** argv) {
    const auto app =
        make_app("send", "Submits an event and prints the message's id.",
                 "Example: echo '{\"id\": 42}' | posthorn send --app acme --create-app --type user.created");
    Event event;
    app->add_option("--app", event.application, "the application's id or uid")->required();
    app->add_option("--type", event.type, "the event's type, such as user.created")->required();
    app->add_option("--file", event.file, "file with the payload, a JSON object; - is stdin")
        ->capture_default_str();
    app->add_option("--channel", event.channels, "channel that endpoints can filter by (may be repeated)");
    app->add_option("--event-id", event.event_id, "the event's own id: sent twice, it is accepted once");
    app->add_option("--idempotency-key", event.idempotency_key,
                    "the same key and event again gives the first answer again");
    app->add_option("--repeat", event.times, "submit it so many times")->check(CLI::Range(1, 1'000'000));
    app->add_flag("--create-app", event.create_application, "make the application if it is missing");
    const ApiFlags api_flags(*app);
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    const auto payload = read_input(event.file, longest_payload_bytes);
    check_payload(payload, event.file);
    const auto body = request_body(event, payload);
    auto api = api_flags.connect();
    for (int i = 0; i < event.times; ++i) submit(api, event, body);
    return exit_ok;
}

}  // namespace posthorn::cli
