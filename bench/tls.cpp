#include <stdexcept>

#include "bench/scenarios.hpp"
#include "bench/site.hpp"

namespace posthorn::bench {

namespace {
constexpr auto scenario = "tls";

double delivered_per_second(Results& results, bool http2) {
    const auto& plan = results.plan;
    Site::Options options;
    options.scenario = scenario;
    options.applications = plan.endpoints;
    options.payload_bytes = plan.payload_bytes;
    options.loaded_seconds =
        3 + static_cast<double>(plan.repetitions) * static_cast<double>(plan.seconds.count());
    options.tls = true;
    options.http2 = http2;
    Site site(results, options);
    Generator generator(site.generator_options(), site.ledger());
    site.warm_up_with(generator);
    const auto all = site.measure_repeatedly(generator, {.duration = plan.seconds},
                                             http2 ? "HTTP/2 over TLS" : "HTTP/1.1 over TLS");
    site.finish();
    const auto& counts = site.receiver().counts();
    if (counts.over_http2 != (http2 ? counts.requests.load() : 0))
        throw std::runtime_error("the service did not speak the version of HTTP that it should");
    return median_throughput(all).delivered_per_second;
}

void add(Results& results, const std::string& name, double rate) {
    results.add(scenario, name + ", delivered", rate, "messages/s");
    if (const auto plain = results.value_of("throughput", "single requests, delivered"))
        results.add(scenario, name + ", of the rate without TLS", 100 * rate / *plain, "%");
}
}  // namespace

void run_tls(Results& results) {
    add(results, "HTTP/1.1 over TLS", delivered_per_second(results, false));
    add(results, "HTTP/2 over TLS", delivered_per_second(results, true));
}

}  // namespace posthorn::bench
