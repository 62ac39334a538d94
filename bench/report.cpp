#include "bench/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <iterator>

#include "cli/version.hpp"

namespace posthorn::bench {

namespace json = boost::json;

namespace {
template <typename Key>
const Measurement& median_by(const std::vector<Measurement>& all, Key key) {
    std::vector<const Measurement*> sorted;
    for (const auto& one : all) sorted.push_back(&one);
    std::sort(sorted.begin(), sorted.end(), [&](auto* a, auto* b) { return key(*a) < key(*b); });
    return *sorted[(sorted.size() - 1) / 2];
}

double microseconds_each(double cpu_seconds, const Measurement& measured) {
    return measured.arrived > 0 ? cpu_seconds * 1e6 / static_cast<double>(measured.arrived) : 0;
}

double share_of_machine(double cpu_seconds, const Measurement& measured, const Machine& machine) {
    const auto available = measured.cpu_window_seconds * machine.processors;
    return available > 0 ? 100 * cpu_seconds / available : 0;
}

using Out = std::back_insert_iterator<std::string>;

void write_heading(Out out, const Results& results) {
    const auto& [plan, machine] = std::tie(results.plan, results.machine);
    fmt::format_to(out, "Posthorn {} on {} processors ({}), Linux {}\n", cli::version, machine.processors,
                   machine.model, machine.kernel);
    if (plan.without_service)
        fmt::format_to(out, "generator and receiver alone, without a service\n");
    else
        fmt::format_to(
            out, "generator, service, PostgreSQL (fsync and synchronous_commit on) and receiver together\n");
    fmt::format_to(out, "{} endpoints, {} connections, payloads of {} bytes, {} s each, median of {}\n",
                   plan.endpoints, plan.connections, plan.payload_bytes, plan.seconds.count(),
                   plan.repetitions);
}

void write_cpu(Out out, const Measurement& measured, const Machine& machine) {
    const auto& cpu = measured.cpu;
    fmt::format_to(out, "  {:<28}{:>10}{:>10}\n", "processors", "us each", "share");
    for (const auto& [name, seconds] : {std::pair{"service", cpu.service},
                                        {"PostgreSQL", cpu.postgres},
                                        {"generator and receiver", cpu.bench},
                                        {"everything else here", cpu.others}})
        fmt::format_to(out, "    {:<26}{:>10.1f}{:>8.0f} %\n", name, microseconds_each(seconds, measured),
                       share_of_machine(seconds, measured, machine));
}

// The median hides an outlier: all of them, in the order in which they were measured.
template <typename Value>
void write_each(Out out, std::string_view name, const std::vector<Measurement>& all, int decimals,
                Value value) {
    fmt::format_to(out, "  {:<28}", name);
    for (const auto& one : all) fmt::format_to(out, "{:>10.{}f}", value(one), decimals);
    *out = '\n';
}

void write_latency(Out out, const Results& results) {
    const auto& measured = median_latency(results.latency);
    fmt::format_to(out, "\n{:<30}{:>10}{:>10}{:>10}{:>10}\n",
                   fmt::format("latency at {:.0f}/s, ms", results.plan.rate), "p50", "p90", "p99", "max");
    for (const auto& [name, times] : {std::pair{"request to arrival", measured.due_to_arrived},
                                      {"request to 202", measured.due_to_accepted},
                                      {"202 to arrival", measured.accepted_to_arrived}})
        fmt::format_to(out, "  {:<28}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", name, times.p50, times.p90,
                       times.p99, times.max);
    write_each(out, "p99 to arrival, each time", results.latency, 2,
               [](const Measurement& one) { return one.due_to_arrived.p99; });
    write_cpu(out, measured, results.machine);
}

void write_throughput(Out out, const Results& results) {
    const auto& measured = median_throughput(results.throughput);
    fmt::format_to(out, "\nthroughput, messages/s\n");
    fmt::format_to(out, "  {:<28}{:>10.0f}\n", "accepted", measured.accepted_per_second);
    fmt::format_to(out, "  {:<28}{:>10.0f}\n", "delivered, end to end", measured.delivered_per_second);
    write_each(out, "delivered, each time", results.throughput, 0,
               [](const Measurement& one) { return one.delivered_per_second; });
    write_cpu(out, measured, results.machine);
}

json::object json_of(const Percentiles& times) {
    return {{"p50", times.p50}, {"p90", times.p90}, {"p99", times.p99}, {"max", times.max}};
}

json::object json_of(const Measurement& measured) {
    json::object refused;
    for (const auto& [status, count] : measured.sent.refused) refused[std::to_string(status)] = count;
    return {{"sent", measured.sent.end - measured.sent.first},
            {"accepted", measured.sent.accepted},
            {"refused", refused},
            {"arrived", measured.arrived},
            {"seconds", measured.seconds},
            {"acceptedPerSecond", measured.accepted_per_second},
            {"deliveredPerSecond", measured.delivered_per_second},
            {"requestToAcceptedMs", json_of(measured.due_to_accepted)},
            {"requestToArrivalMs", json_of(measured.due_to_arrived)},
            {"acceptedToArrivalMs", json_of(measured.accepted_to_arrived)},
            {"cpuWindowSeconds", measured.cpu_window_seconds},
            {"cpuSeconds", json::object{{"service", measured.cpu.service},
                                        {"postgresql", measured.cpu.postgres},
                                        {"bench", measured.cpu.bench},
                                        {"others", measured.cpu.others}}}};
}

json::array json_of(const std::vector<Measurement>& all) {
    json::array list;
    for (const auto& one : all) list.push_back(json_of(one));
    return list;
}

json::object json_of(const Plan& plan) {
    return {{"seconds", plan.seconds.count()},
            {"repetitions", plan.repetitions},
            {"rate", plan.rate},
            {"endpoints", plan.endpoints},
            {"connections", plan.connections},
            {"payloadBytes", plan.payload_bytes},
            {"signatureCheckedEvery", plan.check_every},
            {"withoutService", plan.without_service}};
}
}  // namespace

bool Results::flawless() const {
    return refused == 0 && lost == 0 && duplicates == 0 && foreign == 0 && misdelivered == 0 && forged == 0 &&
           exit_status == 0;
}

const Measurement& median_latency(const std::vector<Measurement>& all) {
    return median_by(all, [](const Measurement& one) { return one.due_to_arrived.p99; });
}

const Measurement& median_throughput(const std::vector<Measurement>& all) {
    return median_by(all, [](const Measurement& one) { return one.delivered_per_second; });
}

std::string table_of(const Results& results) {
    std::string text;
    const auto out = std::back_inserter(text);
    write_heading(out, results);
    if (!results.throughput.empty()) write_throughput(out, results);
    if (!results.latency.empty()) write_latency(out, results);
    fmt::format_to(
        out,
        "\nsent {}, arrived {}: {} refused, {} lost, {} duplicates, {} altered, {} at another endpoint\n",
        results.sent, results.arrived, results.refused, results.lost, results.duplicates, results.foreign,
        results.misdelivered);
    if (!results.plan.without_service)
        fmt::format_to(out, "signatures: {} checked, {} wrong; memory of the service: {:.0f} MiB at most\n",
                       results.signatures, results.forged, results.peak_resident_mib);
    if (results.exit_status != 0)
        fmt::format_to(out, "the service ended with status {}\n", results.exit_status);
    return text;
}

json::value json_of(const Results& results) {
    return json::object{{"version", cli::version},
                        {"machine", json::object{{"processors", results.machine.processors},
                                                 {"model", results.machine.model},
                                                 {"kernel", results.machine.kernel}}},
                        {"plan", json_of(results.plan)},
                        {"throughput", json_of(results.throughput)},
                        {"latency", json_of(results.latency)},
                        {"peakResidentMib", results.peak_resident_mib},
                        {"total", json::object{{"sent", results.sent},
                                               {"arrived", results.arrived},
                                               {"refused", results.refused},
                                               {"lost", results.lost},
                                               {"duplicates", results.duplicates},
                                               {"altered", results.foreign},
                                               {"misdelivered", results.misdelivered},
                                               {"signaturesChecked", results.signatures},
                                               {"signaturesWrong", results.forged},
                                               {"serviceExitStatus", results.exit_status}}},
                        {"flawless", results.flawless()}};
}

}  // namespace posthorn::bench
