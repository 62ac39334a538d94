#include "fault/report.hpp"

#include <cstdio>
#include <fmt/format.h>

namespace posthorn::fault {

namespace {
double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

std::string faults_of(const FaultLog& log) {
    std::map<std::string_view, int> counts;
    for (const auto& window : log.windows()) ++counts[name_of(window.kind)];
    std::string text;
    for (const auto& [name, count] : counts) text += fmt::format("\n  {:3} {}", count, name);
    return text;
}
}  // namespace

void print_report(const Result& result) {
    const auto& checker = result.checker;
    std::string text = fmt::format(
        "{} events acknowledged, {} deliveries, {} requests, {} dead letters\nfaults: {}{}\n"
        "duplicates, by cause:",
        checker.acknowledged(), checker.deliveries(), result.requests, checker.dead_letters(),
        result.log.windows().size(), faults_of(result.log));
    for (const auto& [cause, count] : checker.duplicates()) text += fmt::format("\n  {:3} {}", count, cause);
    text +=
        fmt::format("\nlongest time without an acknowledgement: {:.1f} s\n", seconds(checker.longest_gap()));
    if (checker.take_overs().measured > 0)
        text += fmt::format("shards of the killed were another's within {:.1f} s ({} measured)\n",
                            seconds(checker.take_overs().slowest), checker.take_overs().measured);
    text += fmt::format("longest time in which the machine did not let the rig run: {:.1f} s\n",
                        seconds(result.longest_lateness));
    for (const auto& [name, kilobytes] : result.peak_kilobytes)
        text += fmt::format("memory of \"{}\": at most {} MB\n", name, kilobytes / 1'024);
    text += fmt::format("{} violations told\n", result.violations.size());
    for (const auto& violation : result.violations) text += "  " + violation + "\n";
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
}

}  // namespace posthorn::fault
