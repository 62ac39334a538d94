#pragma once
#include <chrono>
#include <string>
#include <unordered_map>

#include "base/clock.hpp"
#include "store/api_key.hpp"

namespace posthorn::admin {

// API keys that were looked up lately, by their hash. Of one loop. A revoked key works for up to `lifetime`
// longer.
class ApiKeyCache {
public:
    static constexpr std::chrono::seconds lifetime{2};
    static constexpr std::size_t most_entries = 10'000;

    const store::ApiKey* find(const std::string& hash, SteadyTime now) const {
        const auto found = entries_.find(hash);
        return found != entries_.end() && now < found->second.until ? &found->second.key : nullptr;
    }
    void put(std::string hash, store::ApiKey key, SteadyTime now) {
        if (entries_.size() >= most_entries) entries_.clear();
        entries_.insert_or_assign(std::move(hash), Entry{std::move(key), now + lifetime});
    }

private:
    struct Entry {
        store::ApiKey key;
        SteadyTime until;
    };
    std::unordered_map<std::string, Entry> entries_;
};

}  // namespace posthorn::admin
