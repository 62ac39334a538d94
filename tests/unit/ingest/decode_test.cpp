#include "ingest/decode.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/timestamp.hpp"
#include "http/message.hpp"
#include "ingest/limits.hpp"
#include "support/catch.hpp"

using namespace posthorn;

namespace {

constexpr SystemTime now{std::chrono::hours(24 * 365 * 56)};

std::string quoted(std::string text) {
    std::replace(text.begin(), text.end(), '\'', '"');
    return text;
}

ingest::DecodedMessage decode(const std::string& body, std::optional<std::string> key = std::nullopt) {
    return ingest::decode_message(body, key ? &*key : nullptr, now);
}

// Where the problems are, e.g. "body.eventType body.payload"; empty if there are none.
std::string problems_of(const std::string& body, std::optional<std::string> key = std::nullopt) {
    try {
        decode(body, std::move(key));
        return "";
    } catch (const http::ValidationProblem& invalid) {
        std::string all;
        for (const auto& problem : invalid.problems) {
            std::string place;
            for (const auto& step : problem.loc) place += (place.empty() ? "" : ".") + step;
            all += (all.empty() ? "" : " ") + place;
            CHECK_FALSE(problem.msg.empty());
        }
        return all;
    }
}

std::string with(const std::string& more) { return quoted("{'eventType':'a.b','payload':{}" + more + "}"); }

}  // namespace

TEST_CASE("the payload keeps every byte of what was submitted") {
    const std::string payload =
        "{ \"z\": 10.50,\r\n\t\"a\" :1e400, \"a\":\"\\u0000\\u00e4\\/\xC3\xA4\", "
        "\"big\":123456789012345678901234567890 }";
    const auto message = decode("{\"payload\" :  " + payload + "\n , \"eventType\":\"a.b\"}");
    CHECK(message.payload == payload);
    CHECK(message.event_type == "a.b");
    CHECK(message.channels.empty());
    CHECK_FALSE(message.event_id);
    CHECK_FALSE(message.idempotency_key);
}

TEST_CASE("every field is read") {
    const auto body = with(
        ",'channels':['one','two_2'],'eventId':'id-1','payloadRetentionPeriod':5,'application':{'name':'x'},'"
        "more':[]");
    const auto message = decode(body, "a-key");
    CHECK(message.channels == std::vector<std::string>{"one", "two_2"});
    CHECK(message.event_id == "id-1");
    CHECK(message.idempotency_key == "a-key");
    CHECK(message.body_hash == sha256(body));
}

TEST_CASE("keys and names written with escapes mean what they mean") {
    const auto message = decode(quoted("{'event\\u0054ype':'a\\u002eb','p\\u0061yload':{}}"));
    CHECK(message.event_type == "a.b");
    CHECK(message.payload == "{}");
}

TEST_CASE("null stands for absent where a field is optional") {
    CHECK(
        problems_of(with(",'channels':null,'eventId':null,'payloadRetentionPeriod':null,'application':null"))
            .empty());
    CHECK(problems_of(quoted("{'eventType':null,'payload':null}")) == "body.eventType body.payload");
}

TEST_CASE("all problems are told at once") {
    CHECK(problems_of("{}", "a b") == "header.idempotency-key body.eventType body.payload");
    CHECK(problems_of(quoted("{'eventType':7,'payload':[],'channels':[],'eventId':'','payloadRetentionPeriod'"
                             ":4,'application':1}")) ==
          "body.eventType body.payload body.channels body.eventId body.payloadRetentionPeriod "
          "body.application");
}

TEST_CASE("fields are held to their rules") {
    struct Row {
        std::string body, problems;
    };
    const std::string longest(256, 'x'), channel(128, 'c');
    const auto typed = [](const std::string& type) {
        return quoted("{'eventType':" + type + ",'payload':{}}");
    };
    const auto row = GENERATE_COPY(
        Row{typed("'" + longest + "'"), ""}, Row{typed("'" + longest + "x'"), "body.eventType"},
        Row{typed("''"), "body.eventType"}, Row{typed("'a b'"), "body.eventType"},
        Row{typed("'a/b'"), "body.eventType"}, Row{typed("'\xC3\xA4'"), "body.eventType"},
        Row{typed("'\\u0000'"), "body.eventType"}, Row{typed("'\\ud800'"), "body.eventType"},
        Row{typed("['a']"), "body.eventType"}, Row{with(",'channels':['" + channel + "']"), ""},
        Row{with(",'channels':['" + channel + "c']"), "body.channels.0"},
        Row{with(",'channels':['a','b','c','d','e']"), ""},
        Row{with(",'channels':['a','b','c','d','e','f']"), "body.channels"},
        Row{with(",'channels':['a','b','a']"), "body.channels.2"},
        Row{with(",'channels':['a',1,'a,b']"), "body.channels.1 body.channels.2"},
        Row{with(",'channels':'a'"), "body.channels"}, Row{with(",'eventId':'" + longest + "'"), ""},
        Row{with(",'eventId':'" + longest + "x'"), "body.eventId"}, Row{with(",'eventId':1"), "body.eventId"},
        Row{with(",'payloadRetentionPeriod':90"), ""},
        Row{with(",'payloadRetentionPeriod':91"), "body.payloadRetentionPeriod"},
        Row{with(",'payloadRetentionPeriod':18446744073709551615"), "body.payloadRetentionPeriod"},
        Row{with(",'payloadRetentionPeriod':5.5"), "body.payloadRetentionPeriod"},
        Row{with(",'payloadRetentionPeriod':'5'"), "body.payloadRetentionPeriod"},
        Row{with(",'payload':{}"), "body.payload"}, Row{with(",'payl\\u006fad':{}"), "body.payload"},
        Row{with(",'x':1,'x':2,'x':3"), "body.x"});
    INFO(row.body);
    CHECK(problems_of(row.body) == row.problems);
}

TEST_CASE("an idempotency key is 1 to 256 visible ASCII characters") {
    CHECK(problems_of(with(""), std::string(256, '!')).empty());
    for (const std::string& key : {std::string(), std::string(257, '!'), std::string("a\tb"),
                                   std::string("a\x80"), std::string("a b")}) {
        INFO(key);
        CHECK(problems_of(with(""), key) == "header.idempotency-key");
    }
}

TEST_CASE("a body that is no JSON object is refused with one problem") {
    const auto* body = GENERATE(
        "", "   ", "null", "[]", "{", "{\"eventType\":\"a\",\"payload\":{}}}",
        "{\"eventType\":\"a\",\"payload\":{\"x\":01}}", "{\"eventType\":\"a\",\"payload\":{\"x\":\"\xFF\"}}",
        "{\"eventType\":\"a\",\"payload\":{\"x\":\"\\q\"}}", "{\"eventType\":\"a\",\"payload\":{x:1}}");
    INFO(body);
    CHECK(problems_of(body) == "body");
}

TEST_CASE("a payload is at most 64 levels deep, and raw NUL bytes are refused") {
    const auto nested = [](int levels) {
        std::string inner;
        for (int i = 1; i < levels; ++i) inner += "{\"a\":";
        inner += "{}";
        for (int i = 1; i < levels; ++i) inner += '}';
        return "{\"eventType\":\"a\",\"payload\":" + inner + "}";
    };
    CHECK(problems_of(nested(64)).empty());
    CHECK(problems_of(nested(65)) == "body");
    CHECK(problems_of(nested(100'000)) == "body");
    auto body = with(",'x':'y'");
    body.insert(body.size() - 3, 1, '\0');
    CHECK(problems_of(body) == "body");
}

TEST_CASE("tags, headers, a raw payload and a delivery time are read") {
    const auto at = format_timestamp(now + std::chrono::hours(1));
    const auto message =
        decode(with(",'tags':['a','b.c'],'headers':{'X-One':'1','content-type':'text/csv'},"
                    "'deliverAt':'" +
                    at + "'"));
    CHECK(message.tags == std::vector<std::string>{"a", "b.c"});
    CHECK(message.extras.headers ==
          std::vector<std::pair<std::string, std::string>>{{"X-One", "1"}, {"content-type", "text/csv"}});
    CHECK(message.extras.deliver_at == now + std::chrono::hours(1));
    CHECK_FALSE(message.extras.raw);
    CHECK(message.payload == "{}");

    const auto raw = decode(quoted("{'eventType':'a.b','rawPayload':'a,b\\n\\u00e4'}"));
    CHECK(raw.extras.raw);
    CHECK(raw.payload == "a,b\n\xC3\xA4");
}

TEST_CASE("headers and a raw payload come in transformationsParams as well, but not twice") {
    const auto message = decode(
        with(",'transformationsParams':{'rawPayload':'<x/>','headers':{'content-type':'text/xml'},'z':1}"));
    CHECK(message.payload == "<x/>");
    CHECK(message.extras.raw);
    CHECK(message.extras.headers.size() == 1);
    CHECK(problems_of(with(",'rawPayload':'a','transformationsParams':{'rawPayload':'b'}")) ==
          "body.transformationsParams.rawPayload");
    CHECK(problems_of(with(",'transformationsParams':[]")) == "body.transformationsParams");
}

TEST_CASE("a delivery time that has passed means now, and one too far ahead is refused") {
    CHECK_FALSE(decode(with(",'deliverAt':'2000-01-01T00:00:00Z'")).extras.deliver_at);
    CHECK(problems_of(with(",'deliverAt':'2999-01-01T00:00:00Z'")) == "body.deliverAt");
    CHECK(problems_of(with(",'deliverAt':'tomorrow'")) == "body.deliverAt");
    CHECK(problems_of(with(",'deliverAt':5")) == "body.deliverAt");
}

TEST_CASE("headers that may not be chosen, and too many tags, are refused") {
    CHECK(problems_of(with(",'headers':{'Host':'a'}")) == "body.headers.Host");
    CHECK(problems_of(with(",'headers':{'webhook-id':'a'}")) == "body.headers.webhook-id");
    CHECK(problems_of(with(",'headers':{'A':'1','a':'2'}")) == "body.headers.a");
    CHECK(problems_of(with(",'headers':{'A':1}")) == "body.headers.A");
    CHECK(problems_of(with(",'headers':{'A':'x\\ny'}")) == "body.headers.A");
    CHECK(problems_of(with(",'headers':{'':'1'}")) == "body.headers.");
    CHECK(problems_of(with(",'headers':[]")) == "body.headers");
    std::string many, tags;
    for (std::size_t i = 0; i <= ingest::limits::headers_per_message; ++i)
        many += (i == 0 ? "'h" : ",'h") + std::to_string(i) + "':'1'";
    CHECK(problems_of(with(",'headers':{" + many + "}")) == "body.headers");
    for (std::size_t i = 0; i <= ingest::limits::tags_per_message; ++i)
        tags += (i == 0 ? "'t" : ",'t") + std::to_string(i) + "'";
    CHECK(problems_of(with(",'tags':[" + tags + "]")) == "body.tags");
    CHECK(problems_of(with(",'tags':['no spaces']")) == "body.tags.0");
}

TEST_CASE("a batch is split into its messages, which stand where they stood") {
    const auto body = quoted("{ 'messages' : [ {'a':[1,'x']} , {} ] }");
    const auto items = ingest::split_batch(body);
    REQUIRE(items.size() == 2);
    CHECK(items[0].body == quoted("{'a':[1,'x']}"));
    CHECK(items[1].body == "{}");
    CHECK(items[1].at == ingest::Location{"body", "messages", "1"});
    CHECK_THROWS_AS(ingest::decode_message(items[1].body, nullptr, now, items[1].at),
                    http::ValidationProblem);
}

TEST_CASE("what is no batch is refused") {
    const auto refused = [](const std::string& body) {
        try {
            ingest::split_batch(body);
        } catch (const http::ValidationProblem& invalid) {
            return invalid.problems.at(0).loc.back();
        }
        return std::string();
    };
    CHECK(refused("[]") == "body");
    CHECK(refused("{}") == "messages");
    CHECK(refused(R"({"messages":{}})") == "messages");
    CHECK(refused(R"({"messages":null})") == "messages");
    CHECK(refused(R"({"messages":[]})") == "messages");
    CHECK(refused(R"({"messages":[1)") == "body");
    std::string many = "{}";
    for (std::size_t i = 0; i < ingest::limits::messages_per_batch; ++i) many += ",{}";
    CHECK(refused(R"({"messages":[)" + many + "]}") == "messages");
}
