#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace posthorn::test {

// What came of the requests, of all lanes.
class FuzzTally {
public:
    void count(const std::string& operation, int status, std::chrono::milliseconds took);
    // One of a kind is as good as many: the first few of each are kept.
    void fail(const std::string& kind, std::string text);
    bool has_enough() const { return enough_; }  // failures: going on would teach nothing new

    std::vector<std::string> failures() const;
    std::vector<std::string> without_success(const std::vector<std::string>& operations) const;
    std::string report() const;  // requests by status, and by operation

private:
    struct Operation {
        std::map<int, std::uint64_t> statuses;
        std::chrono::milliseconds slowest{0};
    };

    mutable std::mutex mutex_;
    std::map<std::string, Operation> operations_;
    std::map<std::string, int> kinds_;
    std::vector<std::string> failures_;
    std::atomic<bool> enough_ = false;
};

}  // namespace posthorn::test
