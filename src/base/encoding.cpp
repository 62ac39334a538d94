#include "base/encoding.hpp"

#include <array>
#include <cstdint>

namespace posthorn {

namespace {
constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view hex_alphabet = "0123456789abcdef";

using DigitValues = std::array<std::int8_t, 256>;  // -1: not a digit

constexpr DigitValues values_of(std::string_view alphabet) {
    DigitValues values{};
    values.fill(-1);
    for (std::size_t i = 0; i < alphabet.size(); ++i)
        values[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::int8_t>(i);
    return values;
}

constexpr DigitValues hex_values() {
    DigitValues values = values_of(hex_alphabet);
    for (std::size_t i = 0; i < 6; ++i) values['A' + i] = static_cast<std::int8_t>(10 + i);
    return values;
}

std::string encode_unpadded(std::string_view bytes, std::string_view alphabet) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t buffer = 0;
    int bits = 0;
    for (const char c : bytes) {
        buffer = buffer << 8 | static_cast<std::uint8_t>(c);
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            text += alphabet[buffer >> bits & 63];
        }
    }
    if (bits > 0) text += alphabet[buffer << (6 - bits) & 63];
    return text;
}

// One text for one value: the last digit's unused bits must be zero (RFC 4648, 3.5).
std::optional<std::string> decode_unpadded(std::string_view text, const DigitValues& values) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t buffer = 0;
    int bits = 0;
    for (const char c : text) {
        const int value = values[static_cast<std::uint8_t>(c)];
        if (value < 0) return std::nullopt;
        buffer = buffer << 6 | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>(static_cast<std::uint8_t>(buffer >> bits));
        }
    }
    if ((buffer & ((1u << bits) - 1)) != 0) return std::nullopt;
    return bytes;
}

struct Utf8Step {
    std::size_t length;  // of the sequence, or of its broken beginning
    bool valid;
};

struct ByteRange {
    std::uint8_t first, last;
};

// The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF (Unicode, table
// 3-7).
constexpr ByteRange second_byte_range(std::uint8_t lead) {
    switch (lead) {
        case 0xE0:
            return {0xA0, 0xBF};
        case 0xED:
            return {0x80, 0x9F};
        case 0xF0:
            return {0x90, 0xBF};
        case 0xF4:
            return {0x80, 0x8F};
        default:
            return {0x80, 0xBF};
    }
}

constexpr std::size_t sequence_length(std::uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

// A broken sequence ends before the first byte that can not belong to it, so that byte is looked at again.
Utf8Step next_utf8(std::string_view bytes) {
    const auto lead = static_cast<std::uint8_t>(bytes[0]);
    const std::size_t length = sequence_length(lead);
    if (length == 0) return {1, false};
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= bytes.size()) return {i, false};
        const auto byte = static_cast<std::uint8_t>(bytes[i]);
        const ByteRange range = i == 1 ? second_byte_range(lead) : ByteRange{0x80, 0xBF};
        if (byte < range.first || byte > range.last) return {i, false};
    }
    return {length, true};
}
}  // namespace

std::string base64_encode(std::string_view bytes) {
    std::string text = encode_unpadded(bytes, standard_alphabet);
    while (text.size() % 4 != 0) text += '=';
    return text;
}

std::optional<std::string> base64_decode(std::string_view text) {
    static constexpr DigitValues values = values_of(standard_alphabet);
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
        text.remove_suffix(2);
    } else if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    return decode_unpadded(text, values);
}

std::string base64url_encode(std::string_view bytes) { return encode_unpadded(bytes, url_alphabet); }

std::optional<std::string> base64url_decode(std::string_view text) {
    static constexpr DigitValues values = values_of(url_alphabet);
    return decode_unpadded(text, values);
}

std::string hex_encode(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        text += hex_alphabet[byte >> 4];
        text += hex_alphabet[byte & 15];
    }
    return text;
}

std::optional<std::string> hex_decode(std::string_view text) {
    static constexpr DigitValues values = hex_values();
    if (text.size() % 2 != 0) return std::nullopt;
    std::string bytes;
    bytes.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = values[static_cast<std::uint8_t>(text[i])];
        const int low = values[static_cast<std::uint8_t>(text[i + 1])];
        if (high < 0 || low < 0) return std::nullopt;
        bytes += static_cast<char>(static_cast<std::uint8_t>(high * 16 + low));
    }
    return bytes;
}

bool is_valid_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        const Utf8Step step = next_utf8(bytes);
        if (!step.valid) return false;
        bytes.remove_prefix(step.length);
    }
    return true;
}

std::string to_valid_utf8(std::string_view bytes) {
    static constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const Utf8Step step = next_utf8(bytes);
        if (step.valid && bytes[0] != '\0') {
            text += bytes.substr(0, step.length);
        } else {
            text += replacement;
        }
        bytes.remove_prefix(step.length);
    }
    return text;
}

}  // namespace posthorn
