#pragma once
#include <string>
#include <unordered_map>

#include "domain/access_token.hpp"

namespace posthorn::admin {

// Tokens whose signature was right, by their SHA-256. Of one loop. Their times are for the caller to check.
class AccessTokenCache {
public:
    static constexpr std::size_t most_entries = 10'000;

    const domain::AccessToken* find(const std::string& hash) const {
        const auto found = entries_.find(hash);
        return found != entries_.end() ? &found->second : nullptr;
    }
    void put(std::string hash, const domain::AccessToken& token) {
        if (entries_.size() >= most_entries) entries_.clear();
        entries_.insert_or_assign(std::move(hash), token);
    }

private:
    std::unordered_map<std::string, domain::AccessToken> entries_;
};

}  // namespace posthorn::admin
