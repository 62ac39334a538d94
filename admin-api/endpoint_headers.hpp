#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin-api/body.hpp"
#include "domain/secret_box.hpp"
#include "http/header_rules.hpp"
#include "store/endpoint.hpp"

namespace posthorn::admin {

// An endpoint's own headers, sent with each of its deliveries. Names compare without case and keep their
// spelling. In the database they are a JSON object, sealed: they may hold credentials.
using EndpointHeaders = std::map<std::string, std::string, http::CaselessLess>;

EndpointHeaders open_headers(const domain::SecretBox& box, const store::Endpoint& endpoint);
std::optional<std::string> seal_headers(const domain::SecretBox& box, EndpointId endpoint,
                                        const EndpointHeaders& headers);

// Headers that usually hold credentials: never shown, and dropped when the endpoint's URL goes to another
// origin.
bool is_sensitive_header(std::string_view name);
// The names of those dropped, as they were spelt.
std::vector<std::string> drop_sensitive_headers(EndpointHeaders& headers);

// "headers" of a body; a null value (PATCH) removes that header. Each as http::header_problem wants it, and
// no name twice.
Field<NullableStringMap> read_headers(const ObjectReader& reader, Need need, bool nulls);

void replace_headers(EndpointHeaders& headers, const NullableStringMap& given);
// Notes a problem where there are too many afterwards.
void patch_headers(EndpointHeaders& headers, const NullableStringMap& given, Problems& problems);

}  // namespace posthorn::admin
