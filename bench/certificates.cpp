#include "bench/certificates.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace posthorn::bench {

namespace {
constexpr long lifetime_seconds = 24 * 3600;

void require(bool good, const char* what) {
    if (good) return;
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    throw std::runtime_error(fmt::format("{}: {}", what, reason.data()));
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    require(extension != nullptr, "X509V3_EXT_conf_nid");
    const bool added = X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    require(added, "X509_add_ext");
}

Certificate make_certificate(EVP_PKEY* key, const std::string& name, long serial) {
    Certificate made(X509_new());
    auto* subject = X509_get_subject_name(made.get());
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), lifetime_seconds);
    require(X509_set_pubkey(made.get(), key) == 1, "X509_set_pubkey");
    require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1,
            "X509_NAME_add_entry_by_txt");
    return made;
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* key) {
    require(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "X509_set_issuer_name");
    require(X509_sign(certificate, key, EVP_sha256()) > 0, "X509_sign");
}
// HTTP/2 for who offers it.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
    static constexpr std::string_view ours("\x02h2\x08http/1.1");
    unsigned char* found = nullptr;
    if (SSL_select_next_proto(&found, chosen_size, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned>(ours.size()), offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}
}  // namespace

void FreeOpenssl::operator()(ssl_ctx_st* object) const { SSL_CTX_free(object); }
void FreeOpenssl::operator()(evp_pkey_st* object) const { EVP_PKEY_free(object); }
void FreeOpenssl::operator()(x509_st* object) const { X509_free(object); }

Certificates::Certificates(std::uint32_t first_host, std::uint32_t count)
    : key_(EVP_EC_gen("P-256")), context_(SSL_CTX_new(TLS_server_method())) {
    require(key_ && context_, "EVP_EC_gen");
    authority_ = make_certificate(key_.get(), "posthorn bench", 1);
    add_extension(authority_.get(), authority_.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(authority_.get(), authority_.get(), NID_key_usage, "critical,keyCertSign");
    sign(authority_.get(), authority_.get(), key_.get());
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto address = loopback_text(first_host + i);
        auto certificate = make_certificate(key_.get(), address, 2 + static_cast<long>(i));
        add_extension(certificate.get(), authority_.get(), NID_subject_alt_name, "IP:" + address);
        sign(certificate.get(), authority_.get(), key_.get());
        of_address_.emplace(INADDR_LOOPBACK + first_host + i, std::move(certificate));
    }
    SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(context_.get(), choose_protocol, nullptr);
}

Certificates::~Certificates() = default;

std::string Certificates::authority_pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    require(PEM_write_bio_X509(memory.get(), authority_.get()) == 1, "PEM_write_bio_X509");
    char* text = nullptr;
    const auto size = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, static_cast<std::size_t>(size));
}

TlsSession Certificates::accept_as(std::uint32_t address) const {
    TlsSession session(SSL_new(context_.get()));
    const auto found = of_address_.find(address);
    require(session && found != of_address_.end(), "no certificate for this address");
    require(SSL_use_certificate(session.get(), found->second.get()) == 1, "SSL_use_certificate");
    require(SSL_use_PrivateKey(session.get(), key_.get()) == 1, "SSL_use_PrivateKey");
    SSL_set_accept_state(session.get());
    return session;
}

}  // namespace posthorn::bench
