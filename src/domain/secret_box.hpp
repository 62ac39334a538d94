#pragma once
#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "base/id.hpp"
#include "base/secret.hpp"

namespace posthorn::domain {

// Seals what is secret about an endpoint under the master key: AES-256-GCM, the endpoint's id as associated
// data, so that a sealed value copied to another endpoint's row does not open.
class SecretBox {
public:
    explicit SecretBox(Secret master_key);  // 32 bytes; throws std::invalid_argument otherwise

    std::string seal(EndpointId endpoint, std::string_view plain) const;
    // Throws std::runtime_error: sealed under another master key, or altered.
    Secret open(EndpointId endpoint, std::string_view sealed) const;

private:
    Secret key_;
};

}  // namespace posthorn::domain
