#pragma once
#include <memory>
#include <openssl/ssl.h>
#include <string>

namespace posthorn::egress::test {

using TlsContext = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// Speaks no later version than TLS 1.1.
TlsContext outdated(TlsContext context);

// A certificate authority made for one test, its certificate in a file that is removed at the end.
class CertificateAuthority {
public:
    CertificateAuthority();
    ~CertificateAuthority();
    CertificateAuthority(const CertificateAuthority&) = delete;
    CertificateAuthority& operator=(const CertificateAuthority&) = delete;

    const std::string& file() const { return file_; }
    // A server's context with a certificate for these names, e.g. "DNS:localhost,IP:127.0.0.1". It notes the
    // ALPN protocols offered and chooses http/1.1.
    TlsContext server_context(const std::string& names, bool expired = false) const;
    // The same, signed by nobody but itself.
    static TlsContext self_signed_context(const std::string& names);

private:
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
    std::unique_ptr<X509, decltype(&X509_free)> certificate_;
    std::string file_;
};

}  // namespace posthorn::egress::test
