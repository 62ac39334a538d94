#include "fuzz_tally.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace posthorn::test {

namespace {
constexpr int failures_of_a_kind = 2;
constexpr std::size_t failures_in_all = 40;

bool is_success(int status) { return status >= 200 && status < 300; }
}  // namespace

void FuzzTally::count(const std::string& operation, int status, std::chrono::milliseconds took) {
    const std::lock_guard lock(mutex_);
    auto& entry = operations_[operation];
    ++entry.statuses[status];
    entry.slowest = std::max(entry.slowest, took);
}

void FuzzTally::fail(const std::string& kind, std::string text) {
    const std::lock_guard lock(mutex_);
    if (++kinds_[kind] > failures_of_a_kind) return;
    failures_.push_back(std::move(text));
    if (failures_.size() >= failures_in_all) enough_ = true;
}

std::vector<std::string> FuzzTally::failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
}

std::vector<std::string> FuzzTally::without_success(const std::vector<std::string>& operations) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> without;
    for (const auto& operation : operations) {
        const auto found = operations_.find(operation);
        if (found == operations_.end() ||
            std::none_of(found->second.statuses.begin(), found->second.statuses.end(),
                         [](const auto& entry) { return is_success(entry.first); }))
            without.push_back(operation);
    }
    return without;
}

std::string FuzzTally::report() const {
    const std::lock_guard lock(mutex_);
    std::map<int, std::uint64_t> all;
    std::string text;
    for (const auto& [title, operation] : operations_) {
        std::uint64_t successes = 0;
        std::string others;
        for (const auto& [status, count] : operation.statuses) {
            all[status] += count;
            if (is_success(status))
                successes += count;
            else
                others += fmt::format(" {}x{}", status, count);
        }
        text +=
            fmt::format("{:5} 2xx  {:>5} ms  {} {}\n", successes, operation.slowest.count(), title, others);
    }
    text += "all:";
    for (const auto& [status, count] : all) text += fmt::format(" {}x{}", status, count);
    return text + "\n";
}

}  // namespace posthorn::test
