#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "bench/sockets.hpp"

struct ssl_ctx_st;
struct evp_pkey_st;
struct x509_st;

namespace posthorn::bench {

struct FreeOpenssl {
    void operator()(ssl_ctx_st* object) const;
    void operator()(evp_pkey_st* object) const;
    void operator()(x509_st* object) const;
};
using Certificate = std::unique_ptr<x509_st, FreeOpenssl>;
using PrivateKey = std::unique_ptr<evp_pkey_st, FreeOpenssl>;

// An authority of our own and, of it, a certificate for each endpoint's address (ECDSA, P-256). TLS 1.2 and
// 1.3 as OpenSSL does it by default, without session resumption after the process's end.
class Certificates {
public:
    // For the addresses 127.0.0.1 + host_number, for `count` numbers from `first_host`. Throws
    // std::runtime_error.
    Certificates(std::uint32_t first_host, std::uint32_t count);
    ~Certificates();

    std::string authority_pem() const;
    // A session in its accept state that proves to be this address (in the machine's byte order).
    TlsSession accept_as(std::uint32_t address) const;

private:
    PrivateKey key_;
    Certificate authority_;
    std::unordered_map<std::uint32_t, Certificate> of_address_;
    std::unique_ptr<ssl_ctx_st, FreeOpenssl> context_;
};

}  // namespace posthorn::bench
