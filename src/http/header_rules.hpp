#pragma once
#include <string>
#include <string_view>

namespace posthorn::http {

struct CaselessLess {
    bool operator()(std::string_view a, std::string_view b) const;
};

enum class ContentType { fixed, chosen };

// Why a header may not be set by a customer; empty if it may. A name is a token; a value is visible ASCII
// without white space at its ends (RFC 9110, 5.1 and 5.5): HTTP gives its bytes no encoding, and such white
// space would be lost on the way. None may be one that we or HTTP itself set:
//   host, content-length, content-type (unless it may be chosen), content-encoding, transfer-encoding,
//   accept-encoding, connection, keep-alive, proxy-connection, te, trailer, upgrade, http2-settings, expect,
//   user-agent, webhook-*, svix-*
std::string header_problem(std::string_view name, std::string_view value,
                           ContentType content_type = ContentType::fixed);

}  // namespace posthorn::http
