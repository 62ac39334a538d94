#include "base/id.hpp"

namespace posthorn {

namespace {
constexpr std::string_view alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t encoded_characters = 26;  // 130 bits: the first character holds the top 3 of 128

int digit(char c) {
    const auto at = alphabet.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}
}  // namespace

std::string encode_id(std::string_view prefix, const Uuid& value) {
    std::string text;
    text.reserve(prefix.size() + 1 + encoded_characters);
    text.append(prefix).push_back('_');
    unsigned buffer = 0;
    int bits = 2;  // two zero bits in front make 130
    for (const std::uint8_t byte : value.bytes) {
        buffer = buffer << 8 | byte;
        bits += 8;
        while (bits >= 5) {
            bits -= 5;
            text += alphabet[buffer >> bits & 31];
        }
    }
    return text;
}

std::optional<Uuid> decode_id(std::string_view prefix, std::string_view text) {
    if (text.size() != prefix.size() + 1 + encoded_characters || !text.starts_with(prefix) ||
        text[prefix.size()] != '_')
        return std::nullopt;
    const auto digits = text.substr(prefix.size() + 1);
    if (digit(digits[0]) < 0 || digit(digits[0]) > 7) return std::nullopt;
    Uuid id;
    unsigned buffer = static_cast<unsigned>(digit(digits[0]));
    int bits = 3;
    std::size_t at = 0;
    for (const char c : digits.substr(1)) {
        const int value = digit(c);
        if (value < 0) return std::nullopt;
        buffer = buffer << 5 | static_cast<unsigned>(value);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            id.bytes[at++] = static_cast<std::uint8_t>(buffer >> bits);
        }
    }
    return id;
}

}  // namespace posthorn
