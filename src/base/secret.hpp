#pragma once
#include <openssl/crypto.h>
#include <string>
#include <utility>

namespace posthorn {

// Bytes that must not be shown: no operator<<, no formatter, wiped when it ends. reveal() marks the places
// that need the bytes themselves.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
    Secret& operator=(Secret other) noexcept {
        bytes_.swap(other.bytes_);
        return *this;
    }
    ~Secret() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

    const std::string& reveal() const { return bytes_; }
    bool empty() const { return bytes_.empty(); }

private:
    std::string bytes_;
};

}  // namespace posthorn
