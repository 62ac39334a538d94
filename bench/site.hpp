#pragma once
#include <memory>
#include <string_view>

#include "bench/certificates.hpp"
#include "bench/generator.hpp"
#include "bench/installation.hpp"
#include "bench/receiver.hpp"
#include "bench/report.hpp"

namespace posthorn::bench {

inline constexpr std::chrono::milliseconds warm_up{3'000};
// More than any run can send: the ledger has room for it. A record takes 40 bytes.
inline constexpr double most_deliveries_per_second = 60'000;

void announce(std::string_view scenario, std::string_view what);  // to stderr

// What a scenario runs on: a fresh installation with one service, its endpoints, and both ends.
class Site {
public:
    struct Options {
        std::string_view scenario;
        std::uint32_t applications = 1'000, endpoints_each = 1;
        std::size_t payload_bytes = 500;
        double loaded_seconds = 0;  // at full rate, warm-ups included
        std::uint64_t other_deliveries = 0;
        int max_connections = 100;
        bool tls = false, http2 = false;                                // HTTP/2 with TLS alone
        std::optional<std::uint32_t> refusing_endpoint = std::nullopt;  // nobody listens at its address
    };
    Site(Results& results, const Options& options);

    Ledger& ledger() { return *ledger_; }
    Receiver& receiver() { return *receiver_; }
    Installation& installation() { return *installation_; }

    // A message to all endpoints of the application that this endpoint is the first of.
    Target target(std::uint32_t first_endpoint, bool expected = true) const;
    std::vector<Target> all_targets() const;
    Generator::Options generator_options() const;  // every application in turn

    // Measures, counts and keeps the result under this name.
    Measurement measure(Generator& generator, const Load& load, std::string_view name);
    std::vector<Measurement> measure_repeatedly(Generator& generator, const Load& load,
                                                std::string_view name);
    void warm_up_with(Generator& generator, std::optional<double> rate = std::nullopt);

    // Deliveries for an endpoint that are put into its database while no service runs: their first number.
    std::uint64_t add_backlog(std::uint32_t endpoint, std::int64_t count, bool expected);
    // After the services' end: what of a backlog, [first, end), neither arrived nor is still stored is lost.
    void count_backlog(std::uint64_t first, std::uint64_t end);

    // Stops the services and counts what went wrong. `duplicates_allowed`: after a kill.
    void finish(std::uint64_t duplicates_allowed = 0);

private:
    std::string url_of(std::uint32_t endpoint) const;

    Results& results_;
    Options options_;
    std::unique_ptr<Certificates> certificates_;
    std::unique_ptr<Ledger> ledger_;
    std::unique_ptr<Installation> installation_;
    std::unique_ptr<Receiver> receiver_;  // first to go: the service may still send until then
};

}  // namespace posthorn::bench
