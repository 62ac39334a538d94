#include "domain/secret_box.hpp"

#include <stdexcept>

#include "base/crypto.hpp"
#include "base/encoding.hpp"

namespace posthorn::domain {

namespace {
constexpr std::size_t master_key_bytes = 32;
constexpr std::string_view fingerprint_purpose = "posthorn master key ";
constexpr std::size_t fingerprint_characters = 16;
constexpr char format_1 = '\x01';  // nonce, ciphertext, tag of AES-256-GCM follow

std::string_view bytes_of(const EndpointId& endpoint) {
    const auto& bytes = endpoint.value.bytes;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
}  // namespace

SecretBox::SecretBox(Secret master_key, std::vector<Secret> others) : keys_(std::move(others)) {
    keys_.insert(keys_.begin(), std::move(master_key));
    for (const auto& key : keys_)
        if (key.reveal().size() != master_key_bytes)
            throw std::invalid_argument("a master key must have 32 bytes");
}

std::string SecretBox::seal(EndpointId endpoint, std::string_view plain) const {
    return format_1 + aes256_gcm_seal(keys_.front(), plain, bytes_of(endpoint));
}

Secret SecretBox::open(EndpointId endpoint, std::string_view sealed) const {
    if (sealed.starts_with(format_1))
        for (const auto& key : keys_)
            if (auto plain = aes256_gcm_open(key, sealed.substr(1), bytes_of(endpoint)))
                return std::move(*plain);
    throw std::runtime_error("a secret of endpoint " + endpoint.str() +
                             " can not be opened: it was sealed under another master key, or altered");
}

std::string SecretBox::fingerprint() const {
    const Secret text(std::string(fingerprint_purpose) + keys_.front().reveal());
    return hex_encode(sha256(text.reveal())).substr(0, fingerprint_characters);
}

}  // namespace posthorn::domain
