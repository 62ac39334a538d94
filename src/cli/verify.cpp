#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/duration.hpp"
#include "cli/command.hpp"
#include "cli/read_input.hpp"
#include "cli/recorded_request.hpp"
#include "cli/run_commands.hpp"
#include "cli/webhook_receiver.hpp"
#include "domain/signature.hpp"

namespace posthorn::cli {

int run_verify(int argc, char** argv) {
    const auto app =
        make_app("verify", "Tells whether a webhook's signature is right, or exactly why not.",
                 "The request as recorded has its headers, an empty line and the body, byte for byte.\n"
                 "Exit status: 0 valid, 1 not valid.");
    std::string secret, request_file, body_file = "-", tolerance_text = "5m";
    RecordedRequest request;
    app->add_option("--secret", secret, "the endpoint's secret: whsec_..., or whpk_... for ed25519")
        ->required();
    auto* recorded =
        app->add_option("--request", request_file, "file with the whole request as recorded; - is stdin");
    auto* id = app->add_option("--id", request.id, "the webhook-id header");
    auto* timestamp = app->add_option("--timestamp", request.timestamp, "the webhook-timestamp header");
    auto* signature = app->add_option("--signature", request.signature, "the webhook-signature header");
    auto* body =
        app->add_option("--body", body_file, "file with the body; - is stdin")->capture_default_str();
    app->add_option("--tolerance", tolerance_text, "how far the timestamp may be from now")
        ->capture_default_str();
    for (auto* option : {id, timestamp, signature, body}) recorded->excludes(option);
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    const auto tolerance = parse_duration(tolerance_text);
    if (!tolerance)
        throw UsageError(
            fmt::format("--tolerance must be a duration, such as 5m; not \"{}\"", tolerance_text));
    if (!request_file.empty())
        request = parse_recorded_request(read_input(request_file, longest_webhook_bytes));
    else if (id->empty() || timestamp->empty() || signature->empty())
        throw UsageError("give --id, --timestamp and --signature, or the whole request with --request");
    else
        request.body = read_input(body_file, longest_webhook_bytes);

    const auto result = domain::verify_signature(
        secret, request.id, request.timestamp, request.signature, request.body, RealClock().system_now(),
        std::chrono::duration_cast<std::chrono::seconds>(*tolerance));
    if (!request.remark.empty()) fmt::print("note: {}\n", request.remark);
    if (result.valid) {
        fmt::print("valid: signed with this secret\n");
        return exit_ok;
    }
    fmt::print("not valid: {}\n", result.reason);
    return exit_failed;
}

}  // namespace posthorn::cli
