#include <boost/asio/experimental/awaitable_operators.hpp>
#include <fmt/format.h>

#include "support/catch.hpp"
#include "support/ingest_fixture.hpp"

using namespace posthorn;
using namespace boost::asio::experimental::awaitable_operators;
using http::Method;
using posthorn::test::IngestFixture;
using posthorn::test::quoted;
using posthorn::test::text_at;
namespace asio = boost::asio;

namespace {

const std::string body = quoted(
    "{'eventType':'user.signup','payload':{ 'b':1.50,'a':'\\u00e4' },'eventId':'e-1','channels':['x','y']}");

}  // namespace

TEST_CASE(
    "a message is answered 202 with what was submitted, byte for byte, and is stored with its deliveries") {
    IngestFixture f;
    f.make_endpoint(f.application);
    const auto response = f.send(body);
    REQUIRE(response.status == 202);
    CHECK_THAT(response.body, test::contains(quoted("'payload':{ 'b':1.50,'a':'\\u00e4' }")));
    const auto shown = boost::json::parse(response.body);
    CHECK(text_at(shown, "eventType") == "user.signup");
    CHECK(text_at(shown, "eventId") == "e-1");
    CHECK(text_at(shown, "channels") == quoted("['x','y']"));
    CHECK(text_at(shown, "timestamp").starts_with("20"));
    const auto id = MessageId::parse(text_at(shown, "id"));
    REQUIRE(id);
    CHECK(f.sql("SELECT convert_from(payload, 'UTF8') FROM message WHERE id = '" + to_string(id->value) +
                "'") == quoted("{ 'b':1.50,'a':'\\u00e4' }"));
    CHECK(f.sql("SELECT count(*) FROM delivery") == "1");
    const auto read = f.expect(200, Method::get, "/api/v1/app/customer-1/msg/" + id->str());
    CHECK(read == shown);
}

TEST_CASE("absent fields are null, and the content can be left out") {
    IngestFixture f;
    const auto response =
        f.send(quoted("{'eventType':'a','payload':{'x':1}}"), std::nullopt, "?with_content=false");
    REQUIRE(response.status == 202);
    const auto shown = boost::json::parse(response.body);
    CHECK(text_at(shown, "payload") == "{}");
    CHECK(text_at(shown, "eventId") == "null");
    CHECK(text_at(shown, "channels") == "null");
    CHECK(f.sql("SELECT convert_from(payload, 'UTF8') FROM message") == quoted("{'x':1}"));
    CHECK(f.send(body, std::nullopt, "?with_content=maybe").status == 422);
}

TEST_CASE("the same submission again gets the first answer again") {
    IngestFixture f;
    const auto first = f.send(body, "key-1");
    f.clock.advance(std::chrono::minutes(1));
    CHECK(f.send(body, "key-1").body == first.body);
    CHECK(f.send(body, "key-2").body == first.body);  // the eventId says it
    CHECK(f.send(body).body == first.body);
    CHECK(f.send(f.request(body, "key-1", "", f.application)).body == first.body);
    CHECK(f.sql("SELECT count(*) FROM message") == "1");
}

TEST_CASE("a key for another body is refused with what is wrong") {
    IngestFixture f;
    f.send(quoted("{'eventType':'a','payload':{},'eventId':'e'}"), "k");
    const auto reused = f.send(quoted("{'eventType':'b','payload':{}}"), "k");
    CHECK(reused.status == 422);
    CHECK_THAT(reused.body, test::contains("\"code\":\"idempotency_key_reused\""));
    const auto taken = f.send(quoted("{'eventType':'b','payload':{},'eventId':'e'}"));
    CHECK(taken.status == 409);
    CHECK_THAT(taken.body, test::contains("\"code\":\"conflict\""));
    f.send(quoted("{'eventType':'c','payload':{}}"), "k2");
    CHECK(f.send(quoted("{'eventType':'a','payload':{},'eventId':'e'}"), "k2").status == 409);
    CHECK(f.sql("SELECT count(*) FROM message") == "2");
}

TEST_CASE("bad input is refused and nothing is stored") {
    IngestFixture f;
    struct Row {
        std::string body;
        int status;
    };
    const std::string nul("{\"eventType\":\"a\",\"payload\":{\"x\":\"\0\"}}", 37);
    for (const auto& [text, status] :
         {Row{"", 422}, Row{"{", 422}, Row{"[]", 422}, Row{"{}", 422}, Row{nul, 422},
          Row{quoted("{'eventType':'a b','payload':{}}"), 422},
          Row{quoted("{'eventType':'a','payload':'{}'}"), 422},
          Row{quoted("{'eventType':'a','payload':{'x':'\xFF'}}"), 422},
          Row{"{\"eventType\":\"a\",\"payload\":" + std::string(100'000, '['), 422}}) {
        INFO(text.substr(0, 100));
        const auto response = f.send(text);
        CHECK(response.status == status);
        CHECK(boost::json::parse(response.body).at("detail").is_array());
    }
    CHECK(f.send(body, "a key").status == 422);
    CHECK(f.sql("SELECT count(*) FROM message") == "0");
}

TEST_CASE("an application that is unknown, deleted or another organization's is not found") {
    IngestFixture f;
    CHECK(f.send(f.request(body, {}, "", "nobody")).status == 404);
    CHECK(f.send(f.request(body, {}, "", ApplicationId::make(f.clock.system_now()).str())).status == 404);
    CHECK(f.send(f.request(body, {}, "", "a%20b")).status == 404);
    const auto foreign = f.make_application("theirs", f.token_of(f.other_organization()));
    CHECK(f.send(f.request(body, {}, "", "theirs")).status == 404);
    CHECK(f.send(f.request(body, {}, "", foreign)).status == 404);
    const auto deleted = f.make_application("gone");
    f.call(Method::del, "/api/v1/app/gone");
    CHECK(f.send(f.request(body, {}, "", deleted)).status == 404);
    auto anonymous = f.request(body);
    anonymous.fields = {};
    CHECK(f.send(anonymous).status == 401);
    CHECK(f.sql("SELECT count(*) FROM message") == "0");
}

TEST_CASE("without a database the answer is 503 with Retry-After") {
    ingest::BatcherOptions options;
    options.database.conninfo = "host=/nonexistent dbname=x";
    options.longest_wait = std::chrono::milliseconds(100);
    IngestFixture f(options);
    const auto response = f.send(body);
    CHECK(response.status == 503);
    REQUIRE(response.fields.find("Retry-After"));
    CHECK(f.sql("SELECT count(*) FROM message") == "0");
}

TEST_CASE("requests that arrive together are each answered with their own message") {
    IngestFixture f;
    const auto send_two = [&](std::string one, std::string two) -> asio::awaitable<bool> {
        auto first = f.request(one), second = f.request(two);
        const auto [a, b] = co_await (f.router().dispatch(first) && f.router().dispatch(second));
        co_return a.body.find("\"n\":1") != std::string::npos&& b.body.find("\"n\":2") !=
                std::string::npos&& a.status == 202 &&
            b.status == 202;
    };
    CHECK(f.run(send_two(quoted("{'eventType':'a','payload':{'n':1}}"),
                         quoted("{'eventType':'a','payload':{'n':2}}"))));
    CHECK(f.sql("SELECT count(*) FROM message") == "2");
}
