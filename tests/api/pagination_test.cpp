#include <algorithm>

#include "support/api_fixture.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::test;
using http::Method;

namespace {
struct Listed {
    std::vector<std::string> keys;
    std::string iterator, previous;
    bool done;
};

Listed list(ApiFixture& api, const std::string& target, const std::string& key = "id") {
    const auto answer = api.expect(200, Method::get, target);
    Listed listed{
        {}, text_at(answer, "iterator"), text_at(answer, "prevIterator"), answer.at("done").as_bool()};
    for (const auto& item : answer.at("data").as_array()) listed.keys.push_back(text_at(item, key));
    return listed;
}

std::vector<std::string> walk(ApiFixture& api, const std::string& target) {
    std::vector<std::string> keys;
    auto page = list(api, target);
    while (true) {
        keys.insert(keys.end(), page.keys.begin(), page.keys.end());
        if (page.done) return keys;
        page = list(api, target + "&iterator=" + page.iterator);
    }
}
}  // namespace

TEST_CASE("a list is walked through page by page in both orders") {
    ApiFixture api;
    std::vector<std::string> made;
    for (int i = 0; i < 7; ++i) made.push_back(api.make_application());
    CHECK(walk(api, "/api/v1/app?limit=3") == made);
    CHECK(walk(api, "/api/v1/app?limit=7") == made);
    CHECK(walk(api, "/api/v1/app?limit=1") == made);
    auto reversed = made;
    std::reverse(reversed.begin(), reversed.end());
    CHECK(walk(api, "/api/v1/app?limit=3&order=descending") == reversed);
}

TEST_CASE("a list is walked back to its beginning with prevIterator") {
    ApiFixture api;
    std::vector<std::string> made;
    for (int i = 0; i < 5; ++i) made.push_back(api.make_application());
    const auto order = GENERATE(std::string("ascending"), std::string("descending"));
    if (order == "descending") std::reverse(made.begin(), made.end());
    const auto target = "/api/v1/app?limit=2&order=" + order;
    const auto last = list(api, target + "&iterator=" + made[3]);
    CHECK(last.keys == std::vector<std::string>{made[4]});
    CHECK(last.done);
    const auto middle = list(api, target + "&iterator=" + last.previous);
    CHECK(middle.keys == std::vector<std::string>{made[2], made[3]});
    CHECK_FALSE(middle.done);
    const auto first = list(api, target + "&iterator=" + middle.previous);
    CHECK(first.keys == std::vector<std::string>{made[0], made[1]});
    CHECK(first.done);
    CHECK(list(api, target + "&iterator=" + first.previous).keys.empty());
    CHECK(list(api, target + "&iterator=" + middle.iterator).keys == last.keys);
}

TEST_CASE("items that come and go between pages neither repeat nor hide others") {
    ApiFixture api;
    std::vector<std::string> made;
    for (int i = 0; i < 4; ++i) made.push_back(api.make_application());
    const auto newest_first = list(api, "/api/v1/app?limit=2&order=descending");
    const auto oldest_first = list(api, "/api/v1/app?limit=2");
    const auto late = api.make_application();
    api.expect(204, Method::del, "/api/v1/app/" + made[1]);  // where the ascending iterator points
    CHECK(list(api, "/api/v1/app?limit=2&order=descending&iterator=" + newest_first.iterator).keys ==
          std::vector<std::string>{made[0]});
    CHECK(list(api, "/api/v1/app?iterator=" + oldest_first.iterator).keys ==
          std::vector<std::string>{made[2], made[3], late});
}

TEST_CASE("an empty list has no iterators and is done") {
    ApiFixture api;
    const auto page = list(api, "/api/v1/app");
    CHECK(page.keys.empty());
    CHECK(page.iterator == "null");
    CHECK(page.previous == "null");
    CHECK(page.done);
}

TEST_CASE("wrong paging parameters are refused, all at once") {
    ApiFixture api;
    for (const std::string bad :
         {"limit=0", "limit=251", "limit=-1", "limit=x", "limit=99999999999999999999", "iterator=nonsense",
          "iterator=ep_01jd0000000000000000000000", "order=up"}) {
        INFO(bad);
        CHECK(api.call(Method::get, "/api/v1/app?" + bad).status == 422);
    }
    const auto answer = api.expect(422, Method::get, "/api/v1/app?limit=0&order=up&iterator=x");
    CHECK(answer.at("detail").as_array().size() == 3);
    CHECK(boost::json::serialize(answer.at("detail").at(0).at("loc")) == quoted("['query','limit']"));
    CHECK(api.call(Method::get, "/api/v1/app?limit=250").status == 200);
    CHECK(api.call(Method::get, "/api/v1/app?limit=&iterator=").status == 200);
}

TEST_CASE("event types are listed in the order of their names, endpoints within their application") {
    ApiFixture api;
    for (const std::string name : {"b.x", "a", "B", "a.b", "c"})
        api.expect(201, Method::post, "/api/v1/event-type",
                   quoted("{'description':'','name':'") + name + quoted("'}"));
    const auto first = list(api, "/api/v1/event-type?limit=3", "name");
    CHECK(first.keys == std::vector<std::string>{"B", "a", "a.b"});
    CHECK(first.iterator == "a.b");
    CHECK(list(api, "/api/v1/event-type?limit=3&iterator=a.b", "name").keys ==
          std::vector<std::string>{"b.x", "c"});
    CHECK(list(api, "/api/v1/event-type?limit=2&iterator=-b.x", "name").keys ==
          std::vector<std::string>{"a", "a.b"});
    CHECK(list(api, "/api/v1/event-type?limit=2&order=descending", "name").keys ==
          std::vector<std::string>{"c", "b.x"});

    const auto one = api.make_application(), other = api.make_application();
    const auto a = api.make_endpoint(one), b = api.make_endpoint(other), c = api.make_endpoint(one);
    CHECK(list(api, "/api/v1/app/" + one + "/endpoint").keys == std::vector<std::string>{a, c});
    CHECK(list(api, "/api/v1/app/" + one + "/endpoint?order=descending&limit=1").keys ==
          std::vector<std::string>{c});
    CHECK(list(api, "/api/v1/app/" + other + "/endpoint").keys == std::vector<std::string>{b});
}
