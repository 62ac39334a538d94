#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "admin-api/body.hpp"
#include "domain/secret_box.hpp"
#include "store/endpoint.hpp"

namespace posthorn::admin {

struct CaselessLess {
    bool operator()(std::string_view a, std::string_view b) const;
};

// An endpoint's own headers, sent with each of its deliveries. Names compare without case and keep their
// spelling. In the database they are a JSON object, sealed: they may hold credentials.
using EndpointHeaders = std::map<std::string, std::string, CaselessLess>;

EndpointHeaders open_headers(const domain::SecretBox& box, const store::Endpoint& endpoint);
std::optional<std::string> seal_headers(const domain::SecretBox& box, EndpointId endpoint,
                                        const EndpointHeaders& headers);

// Headers that usually hold credentials: never shown, and dropped when the endpoint's URL goes to another
// host.
bool is_sensitive_header(std::string_view name);
void drop_sensitive_headers(EndpointHeaders& headers);

// "headers" of a body; a null value (PATCH) removes that header. Names are tokens and values are free of
// control characters (RFC 9110, 5.1 and 5.5), no name is there twice, and none is one that we or HTTP itself
// set:
//   host, content-length, content-type, content-encoding, transfer-encoding, accept-encoding, connection,
//   keep-alive, proxy-connection, te, trailer, upgrade, http2-settings, expect, user-agent, webhook-*, svix-*
Field<NullableStringMap> read_headers(const ObjectReader& reader, Need need, bool nulls);

void replace_headers(EndpointHeaders& headers, const NullableStringMap& given);
// Notes a problem where there are too many afterwards.
void patch_headers(EndpointHeaders& headers, const NullableStringMap& given, Problems& problems);

}  // namespace posthorn::admin
