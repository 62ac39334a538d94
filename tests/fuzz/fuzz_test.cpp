// Requests made from the OpenAPI document, right and wrong, against a real service: no 5xx, no hang, no leak,
// and every answer as the document has it. POSTHORN_FUZZ_SEED and POSTHORN_FUZZ_COUNT choose others and more;
// with POSTHORN_FUZZ_ONLY=number that request and those before it in its lane are sent again, and it is
// shown.
#include <cstdlib>
#include <fmt/format.h>
#include <iostream>
#include <thread>

#include "cli/webhook_receiver.hpp"
#include "fuzz_lane.hpp"
#include "support/catch.hpp"
#include "support/service.hpp"

using namespace posthorn;
using namespace posthorn::test;

namespace {

constexpr std::uint64_t usual_seed = 1;
constexpr std::uint64_t usual_count = 30'000;
constexpr std::size_t lanes = 6;

std::optional<std::uint64_t> number_from(const char* variable) {
    const auto* text = std::getenv(variable);
    return text == nullptr ? std::nullopt : std::optional<std::uint64_t>(std::stoull(text));
}

// A subscriber that answers what the last segment of its path says.
boost::asio::awaitable<http::Response> answer(http::Request& request) {
    const auto wanted = request.path.substr(request.path.rfind('/') + 1);
    http::Response response;
    response.body = "thanks";
    if (wanted == "binary") response.body = std::string("\0\xFF\xC0 binary", 10);
    if (wanted.size() == 3 && wanted.find_first_not_of("0123456789") == std::string::npos)
        response.status = std::stoi(wanted);
    if (response.status == 204) response.body.clear();
    co_return response;
}

// Nothing listens there: the port was free a moment ago, and ours is another.
std::uint16_t closed_port() { return cli::WebhookReceiver(answer).port(); }

Service::Options service_options() {
    return {.database_url = TestPostgres::instance().make_database(),
            // Names lead nowhere: no name server answers on this port.
            .environment = {{"POSTHORN_LOG_LEVEL", "warn"},
                            {"POSTHORN_RETRY_SCHEDULE", "10ms,10ms"},
                            {"POSTHORN_NAME_SERVERS", "127.0.0.1:1"}}};
}

std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
}

void run_lanes(const Service& service, const FuzzRun& run, const ApiDescription& description,
               FuzzTally& tally) {
    std::vector<std::thread> threads;
    for (std::size_t lane = 0; lane < run.lanes; ++lane) {
        if (run.only && *run.only % run.lanes != lane) continue;
        const auto organization = OrganizationId::make(RealClock().system_now());
        const auto foreign = OrganizationId::make(RealClock().system_now());
        threads.emplace_back(
            [&, lane, tokens = FuzzTokens{service.token_of(organization), service.token_of(foreign)}] {
                FuzzLane(run, description, tokens, tally).run(lane);
            });
    }
    for (auto& thread : threads) thread.join();
}

}  // namespace

TEST_CASE("no request gets a 5xx, a hang or a leak, and every answer is as the document says") {
    const ApiDescription description;
    cli::WebhookReceiver receiver(answer);
    Service service(service_options());
    FuzzRun run{.port = port_of(service.url()),
                .receivers = {receiver.url(""), fmt::format("http://127.0.0.1:{}", closed_port())},
                .seed = number_from("POSTHORN_FUZZ_SEED").value_or(usual_seed),
                .count = number_from("POSTHORN_FUZZ_COUNT").value_or(usual_count),
                .lanes = lanes,
                .only = number_from("POSTHORN_FUZZ_ONLY")};

    FuzzTally tally;
    const auto begin = std::chrono::steady_clock::now();
    run_lanes(service, run, description, tally);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::cout << tally.report()
              << fmt::format("{} requests of seed {} in {:.1f} s: {:.0f} a second\n", run.count, run.seed,
                             took.count(), static_cast<double>(run.count) / took.count());

    // What a sanitizer finds ends the process with its own status; leaks are looked for at its end.
    const auto status = service.stop();
    if (status != 0) std::cout << service.log();
    CHECK(status == 0);
    for (const auto& failure : tally.failures()) std::cout << "\nFAILED " << failure;
    CHECK(tally.failures().empty());
    if (run.only) return;
    std::vector<std::string> titles;
    for (const auto& operation : description.operations()) titles.push_back(operation.title());
    // An operation that never succeeds is one that the requests don't reach.
    CHECK(tally.without_success(titles) == std::vector<std::string>{});
}
