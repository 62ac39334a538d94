#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace posthorn {

std::string base64_encode(std::string_view bytes);                // RFC 4648, 4, padded
std::optional<std::string> base64_decode(std::string_view text);  // strict: padding required, no white space
std::string base64url_encode(std::string_view bytes);             // RFC 4648, 5, unpadded (JWT)
std::optional<std::string> base64url_decode(std::string_view text);  // strict, unpadded
std::string hex_encode(std::string_view bytes);                      // lowercase
std::optional<std::string> hex_decode(std::string_view text);

bool is_valid_utf8(std::string_view bytes);
// Replaces each broken sequence by U+FFFD and each NUL by U+FFFD: bytes from a receiver as text for people.
std::string to_valid_utf8(std::string_view bytes);

}  // namespace posthorn
