#include "support/certificates.hpp"

#include <cstdio>
#include <filesystem>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdexcept>
#include <unistd.h>

namespace posthorn::egress::test {

namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
constexpr long day_seconds = 24 * 3600;

Key make_key() { return {EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free}; }

void extend(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
    if (extension == nullptr) throw std::runtime_error("certificate extension: " + value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

Certificate make_certificate(EVP_PKEY* key, const std::string& name, long not_before, long not_after) {
    static long serial = 0;
    Certificate certificate(X509_new(), &X509_free);
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), not_before);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), not_after);
    X509_set_pubkey(certificate.get(), key);
    std::unique_ptr<X509_NAME, decltype(&X509_NAME_free)> subject(X509_NAME_new(), &X509_NAME_free);
    const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
    X509_NAME_add_entry_by_txt(subject.get(), "CN", MBSTRING_ASC, text, -1, -1, 0);
    X509_set_subject_name(certificate.get(), subject.get());
    return certificate;
}

void free_offered(void*, void* offered, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<std::string*>(offered);
}

// At index 0, where Peer looks, nothing is freed by OpenSSL: the string is owned by a second index.
int note_offered(SSL* session, const unsigned char** chosen, unsigned char* chosen_length,
                 const unsigned char* offered, unsigned offered_length, void*) {
    static const int owner = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_offered);
    auto* text = new std::string(reinterpret_cast<const char*>(offered), offered_length);
    SSL_set_ex_data(session, owner, text);
    SSL_set_ex_data(session, 0, text);
    static const unsigned char http1[] = "http/1.1";
    *chosen = http1;
    *chosen_length = 8;
    return SSL_TLSEXT_ERR_OK;
}

TlsContext context_with(EVP_PKEY* key, X509* certificate) {
    TlsContext context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
    SSL_CTX_use_certificate(context.get(), certificate);
    SSL_CTX_use_PrivateKey(context.get(), key);
    SSL_CTX_set_alpn_select_cb(context.get(), &note_offered, nullptr);
    return context;
}

}  // namespace

CertificateAuthority::CertificateAuthority()
    : key_(make_key()),
      certificate_(make_certificate(key_.get(), "Posthorn test CA", -day_seconds, day_seconds)) {
    X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
    extend(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate_.get(), certificate_.get(), NID_key_usage, "critical,keyCertSign");
    X509_sign(certificate_.get(), key_.get(), EVP_sha256());

    file_ = (std::filesystem::temp_directory_path() / "posthorn-test-ca-XXXXXX").string();
    const int number = mkstemp(file_.data());
    std::FILE* out = fdopen(number, "w");
    if (out == nullptr) throw std::runtime_error("no temporary file");
    PEM_write_X509(out, certificate_.get());
    std::fclose(out);
}

CertificateAuthority::~CertificateAuthority() {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
}

TlsContext CertificateAuthority::server_context(const std::string& names, bool expired) const {
    const auto key = make_key();
    const auto until = expired ? -day_seconds : day_seconds;
    const auto certificate = make_certificate(key.get(), "Posthorn test server", -2 * day_seconds, until);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
    extend(certificate.get(), certificate_.get(), NID_subject_alt_name, names);
    X509_sign(certificate.get(), key_.get(), EVP_sha256());
    return context_with(key.get(), certificate.get());
}

TlsContext CertificateAuthority::self_signed_context(const std::string& names) {
    const auto key = make_key();
    const auto certificate = make_certificate(key.get(), "Posthorn test server", -day_seconds, day_seconds);
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
    extend(certificate.get(), certificate.get(), NID_subject_alt_name, names);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    return context_with(key.get(), certificate.get());
}

TlsContext outdated(TlsContext context) {
    SSL_CTX_set_security_level(context.get(), 0);  // the usual one has no cipher left for it
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), TLS1_1_VERSION);
    return context;
}

}  // namespace posthorn::egress::test
