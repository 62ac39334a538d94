#include "base/encoding.hpp"

#include <utility>
#include <vector>

#include "base/random.hpp"
#include "support/catch.hpp"

using namespace posthorn;

namespace {
std::string every_byte() {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
}
}  // namespace

TEST_CASE("base64 encodes the examples of RFC 4648 and reads them back") {
    const std::vector<std::pair<std::string, std::string>> examples{{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : examples) {
        CHECK(base64_encode(bytes) == text);
        CHECK(base64_decode(text) == bytes);
    }
}

TEST_CASE("base64 and base64url read back whatever bytes they wrote") {
    const std::string all = every_byte();
    for (std::size_t length = 0; length <= all.size(); ++length) {
        const std::string bytes = all.substr(all.size() - length);
        CHECK(base64_decode(base64_encode(bytes)) == bytes);
        CHECK(base64url_decode(base64url_encode(bytes)) == bytes);
        CHECK(hex_decode(hex_encode(bytes)) == bytes);
    }
}

TEST_CASE("base64 refuses everything but one canonical text") {
    for (const char* text : {"Zg", "Zg=", "Zg===", "Z", "Zm9v\n", " Zm9v", "Zm9v ", "Zm 9", "Zm-_",
                             "Zh==", "Zm9=", "====", "=", "==", "Zg==Zg==", "Z=g=", "Zm9v===="})
        CHECK_FALSE(base64_decode(text).has_value());
}

TEST_CASE("base64url is unpadded and has its own two characters") {
    CHECK(base64url_encode("\xfb\xff") == "-_8");
    CHECK(base64url_decode("-_8") == "\xfb\xff");
    for (const char* text : {"-_8=", "+/8", "A", "-_9"}) CHECK_FALSE(base64url_decode(text).has_value());
}

TEST_CASE("hex is written in lowercase and read in both cases") {
    CHECK(hex_encode(std::string("\x00\x7f\xff", 3)) == "007fff");
    CHECK(hex_decode("DeadBEEF") == "\xde\xad\xbe\xef");
    for (const char* text : {"0", "0g", "g0", "0x", " 0", "zz"}) CHECK_FALSE(hex_decode(text).has_value());
}

TEST_CASE("UTF-8 is valid in its shortest forms alone, without surrogates, up to U+10FFFF") {
    for (const char* text : {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                             "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
                             "Gr\xc3\xbc\xc3\x9f"
                             "e"})
        CHECK(is_valid_utf8(text));
    CHECK(is_valid_utf8(std::string_view("\0", 1)));
    for (const char* bytes :
         {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3("})
        CHECK_FALSE(is_valid_utf8(bytes));
}

TEST_CASE("bytes from a receiver become valid UTF-8, each broken sequence and each NUL one replacement") {
    const std::string mark = "\xef\xbf\xbd";
    CHECK(to_valid_utf8("a\xc3\xbcz") == "a\xc3\xbcz");
    CHECK(to_valid_utf8(std::string_view("a\0b", 3)) == "a" + mark + "b");
    CHECK(to_valid_utf8("a\xffz") == "a" + mark + "z");
    CHECK(to_valid_utf8("\xe2\x82z") == mark + "z");            // a truncated sequence is one
    CHECK(to_valid_utf8("\xf0\x9f\x98") == mark);               // also at the end
    CHECK(to_valid_utf8("\xe2\xc3\xbc") == mark + "\xc3\xbc");  // and does not eat what follows
    CHECK(to_valid_utf8("\xc0\x80") == mark + mark);            // neither byte can begin a sequence
}

TEST_CASE("whatever bytes come in, valid UTF-8 without NUL goes out") {
    Random random(20'240'731);
    for (int round = 0; round < 2'000; ++round) {
        std::string bytes(random.next() % 24, '\0');
        for (char& c : bytes) c = static_cast<char>(random.next());
        const std::string text = to_valid_utf8(bytes);
        CHECK(is_valid_utf8(text));
        CHECK(text.find('\0') == std::string::npos);
        if (is_valid_utf8(bytes) && bytes.find('\0') == std::string::npos) CHECK(text == bytes);
    }
}
