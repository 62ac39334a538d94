#include "egress/outcome.hpp"

namespace posthorn::egress {

std::string_view to_string(Failure failure) {
    switch (failure) {
        case Failure::none:
            return "answered";
        case Failure::not_started:
            return "the request was not started";
        case Failure::address_refused:
            return "the address is not allowed";
        case Failure::name_unresolved:
            return "the name could not be resolved";
        case Failure::connect:
            return "no connection could be made";
        case Failure::tls:
            return "the TLS handshake failed";
        case Failure::timeout:
            return "the time limit was exceeded";
        case Failure::protocol:
            return "the answer was not valid HTTP or ended early";
        case Failure::aborted:
            return "the request was cut off while it was being sent";
    }
    return "unknown";
}

Failure failure_of(CURLcode code) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
            return Failure::name_unresolved;
        case CURLE_COULDNT_CONNECT:
        case CURLE_INTERFACE_FAILED:
            return Failure::connect;
        case CURLE_OPERATION_TIMEDOUT:
            return Failure::timeout;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_ENGINE_SETFAILED:
        case CURLE_SSL_ENGINE_INITFAILED:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_USE_SSL_FAILED:
        case CURLE_SSL_SHUTDOWN_FAILED:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_CLIENTCERT:
            return Failure::tls;
        default:
            return Failure::protocol;
    }
}

}  // namespace posthorn::egress
