#include "bench/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <iterator>

#include "cli/version.hpp"

namespace posthorn::bench {

namespace json = boost::json;

namespace {
using Out = std::back_insert_iterator<std::string>;

void write_heading(Out out, const Results& results) {
    const auto& plan = results.plan;
    const auto& machine = results.machine;
    fmt::format_to(out, "Posthorn {} on {} processors ({}), Linux {}\n", cli::version, machine.processors,
                   machine.model, machine.kernel);
    fmt::format_to(
        out, "generator, service, PostgreSQL (fsync and synchronous_commit on) and receiver together\n");
    fmt::format_to(out, "{} endpoints, {} connections, payloads of {} bytes, {} s each, median of {}\n\n",
                   plan.endpoints, plan.connections, plan.payload_bytes, plan.seconds.count(),
                   plan.repetitions);
}

std::string number_text(double value) {
    const int decimals = value >= 100 ? 0 : value >= 1 ? 1 : 3;
    return fmt::format("{:.{}f}", value, decimals);
}

std::string goal_text(const Goal& goal) {
    return fmt::format("{} {}", goal.sense == Goal::Sense::at_least ? ">=" : "<=", number_text(goal.value));
}

void write_figure(Out out, const Figure& figure) {
    fmt::format_to(out, "{:<15}{:<46}{:>10} {:<13}", figure.scenario, figure.name, number_text(figure.value),
                   figure.unit);
    if (figure.goal)
        fmt::format_to(out, "{:>11}{:>7.2f}  {}", goal_text(*figure.goal), figure.ratio(),
                       figure.met() ? "met" : "NOT MET");
    *out = '\n';
}

void write_tally(Out out, const Tally& tally) {
    fmt::format_to(
        out,
        "\nsent {}, arrived {}: {} refused, {} lost, {} duplicates, {} altered, {} at another endpoint\n",
        tally.sent, tally.arrived, tally.refused, tally.lost, tally.duplicates, tally.foreign,
        tally.misdelivered);
    fmt::format_to(out, "signatures: {} checked, {} wrong\n", tally.signatures, tally.forged);
    if (tally.exit_status != 0) fmt::format_to(out, "a service ended with status {}\n", tally.exit_status);
}

json::object json_of(const Percentiles& times) {
    return {{"p50", times.p50}, {"p90", times.p90}, {"p99", times.p99}, {"max", times.max}};
}

json::object json_of(const Measurement& measured) {
    json::object refused;
    for (const auto& [status, count] : measured.sent.refused) refused[std::to_string(status)] = count;
    return {{"messagesAccepted", measured.sent.messages},
            {"refused", refused},
            {"deliveriesAccepted", measured.accepted},
            {"deliveriesArrived", measured.arrived},
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

json::object json_of(const Plan& plan) {
    return {{"seconds", plan.seconds.count()},
            {"repetitions", plan.repetitions},
            {"rate", plan.rate},
            {"endpoints", plan.endpoints},
            {"connections", plan.connections},
            {"payloadBytes", plan.payload_bytes},
            {"signatureCheckedEvery", plan.check_every},
            {"deadDeliveries", plan.dead_deliveries},
            {"stored", plan.stored},
            {"holdSeconds", plan.hold.count()},
            {"backlog", plan.backlog}};
}

json::object json_of(const Tally& tally) {
    return {{"sent", tally.sent},
            {"arrived", tally.arrived},
            {"refused", tally.refused},
            {"lost", tally.lost},
            {"duplicates", tally.duplicates},
            {"altered", tally.foreign},
            {"misdelivered", tally.misdelivered},
            {"signaturesChecked", tally.signatures},
            {"signaturesWrong", tally.forged},
            {"serviceExitStatus", tally.exit_status}};
}

json::object json_of(const Figure& figure) {
    json::object object{
        {"scenario", figure.scenario}, {"name", figure.name}, {"value", figure.value}, {"unit", figure.unit}};
    if (!figure.goal) return object;
    object["target"] = figure.goal->value;
    object["atMost"] = figure.goal->sense == Goal::Sense::at_most;
    object["ratio"] = figure.ratio();
    object["met"] = figure.met();
    return object;
}

json::array& list_in(json::object& measurements, std::string_view scenario, std::string_view name) {
    auto& lists = measurements[scenario];
    if (!lists.is_object()) lists = json::object();
    auto& list = lists.get_object()[name];
    if (!list.is_array()) list = json::array();
    return list.get_array();
}
}  // namespace

double Figure::ratio() const { return goal && goal->value > 0 ? value / goal->value : 0; }

bool Figure::met() const {
    if (!goal) return true;
    return goal->sense == Goal::Sense::at_least ? value >= goal->value : value <= goal->value;
}

void Tally::add(const Measurement& measured) {
    sent += measured.accepted;
    arrived += measured.arrived;
    lost += measured.lost();
    for (const auto& [status, count] : measured.sent.refused) refused += count;
}

bool Tally::flawless() const {
    return refused == 0 && lost == 0 && duplicates == 0 && foreign == 0 && misdelivered == 0 && forged == 0 &&
           exit_status == 0;
}

void Results::add(std::string_view scenario, std::string name, double value, std::string unit,
                  std::optional<Goal> goal) {
    figures.push_back({std::string(scenario), std::move(name), value, std::move(unit), goal});
}

void Results::keep(std::string_view scenario, std::string_view name, const Measurement& measured) {
    list_in(measurements, scenario, name).push_back(json_of(measured));
}

void Results::keep(std::string_view scenario, std::string_view name, double value) {
    list_in(measurements, scenario, name).push_back(value);
}

std::optional<double> Results::value_of(std::string_view scenario, std::string_view name) const {
    for (const auto& figure : figures)
        if (figure.scenario == scenario && figure.name == name) return figure.value;
    return std::nullopt;
}

std::string table_of(const Results& results) {
    std::string text;
    const auto out = std::back_inserter(text);
    write_heading(out, results);
    fmt::format_to(out, "{:<15}{:<46}{:>10} {:<13}{:>11}{:>7}\n", "scenario", "figure", "", "", "target",
                   "ratio");
    for (const auto& figure : results.figures) write_figure(out, figure);
    write_tally(out, results.tally);
    fmt::format_to(out, "took {:.0f} s\n", results.seconds);
    return text;
}

json::object json_of(const Results& results) {
    json::array figures;
    for (const auto& figure : results.figures) figures.push_back(json_of(figure));
    return {{"version", cli::version},
            {"machine", json::object{{"processors", results.machine.processors},
                                     {"model", results.machine.model},
                                     {"kernel", results.machine.kernel}}},
            {"plan", json_of(results.plan)},
            {"figures", figures},
            {"measurements", results.measurements},
            {"total", json_of(results.tally)},
            {"flawless", results.tally.flawless()},
            {"seconds", results.seconds}};
}

}  // namespace posthorn::bench
