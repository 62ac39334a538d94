#include "bench/http_frame.hpp"

#include <stdexcept>

#include "support/catch.hpp"

using namespace posthorn::bench;

TEST_CASE("a frame ends where its body does, and the next begins there") {
    const std::string bytes = "POST /a HTTP/1.1\r\ncontent-LENGTH: 3\r\nHost: h\r\n\r\nabcGET";
    const auto frame = first_frame(bytes);
    REQUIRE(frame);
    CHECK(frame->first_line() == "POST /a HTTP/1.1");
    CHECK(frame->field("Content-Length") == "3");
    CHECK(frame->field("host") == "h");
    CHECK(frame->field("missing").empty());
    CHECK(frame->body == "abc");
    CHECK(bytes.substr(frame->size) == "GET");
}

TEST_CASE("what is not complete is no frame yet") {
    const std::string bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (std::size_t size = 0; size < bytes.size(); ++size) CHECK(!first_frame(bytes.substr(0, size)));
    CHECK(first_frame(bytes));
}

TEST_CASE("a length that is no number is an error") {
    CHECK_THROWS_AS(first_frame("POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"), std::runtime_error);
}
