#pragma once
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "base/secret.hpp"

namespace posthorn::domain {

// Seals what is secret about an endpoint under the master key: AES-256-GCM, the endpoint's id as associated
// data, so that a sealed value copied to another endpoint's row does not open.
class SecretBox {
public:
    // Of 32 bytes each; throws std::invalid_argument otherwise. `others` seal nothing, but what was sealed
    // under one of them opens: while the master key is changed.
    explicit SecretBox(Secret master_key, std::vector<Secret> others = {});

    std::string seal(EndpointId endpoint, std::string_view plain) const;
    // Throws std::runtime_error: sealed under none of the keys, or altered.
    Secret open(EndpointId endpoint, std::string_view sealed) const;
    // Tells the key that seals from others, and nothing about it: 16 hexadecimal digits.
    std::string fingerprint() const;

private:
    std::vector<Secret> keys_;  // the first one seals
};

}  // namespace posthorn::domain
