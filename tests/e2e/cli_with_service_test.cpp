// The commands that are clients of a running service.
#include <boost/json.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <set>
#include <sstream>

#include "command_line.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using namespace std::chrono_literals;
using posthorn::test::contains;
using posthorn::test::run_posthorn;
namespace json = boost::json;

namespace {
const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string other_master_key = "0f0e0d0c0b0a090807060504030201000f0e0d0c0b0a09080706050403020100";

test::Service::Options on_a_database(std::map<std::string, std::string> environment = {}) {
    return {.database_url = test::TestPostgres::instance().make_database(),
            .environment = std::move(environment)};
}

std::map<std::string, std::string> client_of(const test::Service& service) {
    return {{"POSTHORN_URL", service.url()}, {"POSTHORN_TOKEN", service.token()}};
}

std::vector<json::object> lines_of(const std::string& output) {
    std::vector<json::object> lines;
    std::istringstream text(output);
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line).as_object());
    return lines;
}

// A `posthorn listen` that has begun to.
class Listener {
public:
    explicit Listener(std::vector<std::string> arguments)
        : child_(test::posthorn_options(with_defaults(std::move(arguments)))) {
        const std::string start = "listening on ";
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (child_.errors().find('\n') == std::string::npos &&
               std::chrono::steady_clock::now() < deadline && !child_.wait(5ms)) {
        }
        const auto line = child_.errors();
        const auto at = line.find(start);
        if (at == std::string::npos) throw std::runtime_error("posthorn listen did not start: " + line);
        url_ = line.substr(at + start.size(), line.find(' ', at + start.size()) - at - start.size());
    }
    const std::string& url() const { return url_; }
    cli::ChildProcess& child() { return child_; }

private:
    static std::vector<std::string> with_defaults(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"listen", "--json"});
        return arguments;
    }
    cli::ChildProcess child_;
    std::string url_;
};
}  // namespace

TEST_CASE("what posthorn send submits arrives at posthorn listen, signed and byte for byte") {
    test::Service service(on_a_database());
    Listener listener({"--secret", secret, "--exit-after", "2"});
    test::Receiver receiver;
    const auto sent = run_posthorn({"send", "--app", "acme", "--create-app", "--type", "user.created"},
                                   client_of(service), "{}");
    INFO(sent.errors);
    REQUIRE(sent.status == 0);
    service.make_endpoint("acme", listener.url(), {{"secret", secret}, {"channels", json::array{"one"}}});
    service.make_endpoint("acme", receiver.url());

    const std::string payload = "{ \"type\" : \"user.created\", \"price\":10.50, \"name\":\"M\\u00fcller\" }";
    const auto twice =
        run_posthorn({"send", "--app", "acme", "--type", "user.created", "--channel", "one", "--repeat", "2"},
                     client_of(service), payload);
    REQUIRE(twice.status == 0);
    const auto status = listener.child().wait(30s);
    REQUIRE(status.has_value());
    CHECK(*status == 0);
    const auto lines = lines_of(listener.child().output());
    REQUIRE(lines.size() == 2);
    for (const auto& line : lines) {
        CHECK(line.at("verdict") == "valid");
        CHECK(line.at("type") == "user.created");
        CHECK(line.at("duplicate") == false);
        CHECK_THAT(twice.output, contains(std::string(line.at("id").as_string().c_str())));
    }
    REQUIRE(receiver.wait_for(2));
    CHECK(receiver.received().front().body == payload);
}

TEST_CASE("posthorn send explains what the service answers") {
    test::Service service(on_a_database());
    const std::vector<std::string> to_nobody{"send", "--app", "nobody", "--type", "user.created"};
    const auto unknown = run_posthorn(to_nobody, client_of(service), "{}");
    CHECK(unknown.status == 1);
    CHECK_THAT(unknown.errors, contains("there is no application \"nobody\"") && contains("--create-app"));
    const auto forbidden =
        run_posthorn(to_nobody, {{"POSTHORN_URL", service.url()}, {"POSTHORN_TOKEN", "wrong"}}, "{}");
    CHECK_THAT(forbidden.errors, contains("401") && contains("posthorn token"));
    service.make_application("acme");
    const auto bad_type =
        run_posthorn({"send", "--app", "acme", "--type", "spaces are wrong"}, client_of(service), "{}");
    CHECK_THAT(bad_type.errors, contains("422") && contains("eventType"));
    // The same event once more is the same message.
    const std::vector<std::string> once{"send",         "--app",      "acme",   "--type",
                                        "user.created", "--event-id", "event-1"};
    const auto first = run_posthorn(once, client_of(service), "{}");
    CHECK(first.status == 0);
    CHECK(run_posthorn(once, client_of(service), "{}").output == first.output);
}

TEST_CASE("posthorn listen misbehaves as told; what it failed is listed as dead letters and replayed") {
    test::Service service(on_a_database({{"POSTHORN_RETRY_SCHEDULE", "50ms"}}));
    Listener listener({"--secret", secret, "--fail", "4", "--status", "500", "--exit-after", "6"});
    const auto application = service.make_application("acme");
    service.make_endpoint("acme", listener.url(), {{"secret", secret}});
    std::set<std::string> sent{service.send("acme", "user.created", "{}"),
                               service.send("acme", "user.deleted", "{}")};

    const std::vector<std::string> list{"dead-letters", "list", "--app", "acme", "--json"};
    std::vector<json::object> letters;
    for (const auto deadline = std::chrono::steady_clock::now() + 30s;
         letters.size() < 2 && std::chrono::steady_clock::now() < deadline;)
        letters = lines_of(run_posthorn(list, client_of(service)).output);
    REQUIRE(letters.size() == 2);
    for (const auto& letter : letters) {
        CHECK(sent.erase(std::string(letter.at("msgId").as_string().c_str())) == 1);
        CHECK(letter.at("reason") == "exhausted");
    }
    const auto deleted = run_posthorn(
        {"dead-letters", "list", "--event-type", "user.deleted", "--since", "1h"}, client_of(service));
    CHECK_THAT(deleted.output,
               contains("user.deleted  exhausted after 2 attempts") && !contains("user.created"));

    const auto replayed = run_posthorn({"dead-letters", "replay", "--app", "acme"}, client_of(service));
    INFO(replayed.errors);
    CHECK(replayed.status == 0);
    CHECK_THAT(replayed.output, contains("finished: 2 dead letters queued again"));
    REQUIRE(listener.child().wait(30s).has_value());
    const auto lines = lines_of(listener.child().output());
    REQUIRE(lines.size() == 6);
    CHECK(lines[0].at("answer") == 500);
    CHECK(lines[5].at("answer") == 200);
    CHECK(lines[5].at("request") == 3);
    CHECK_THAT(run_posthorn({"dead-letters", "list"}, client_of(service)).errors,
               contains("there are no dead letters"));
    CHECK_THAT(run_posthorn({"dead-letters", "list", "--reason", "bad-luck"}, client_of(service)).errors,
               contains("must be one of: exhausted"));
}

TEST_CASE("posthorn listen refuses a wrong signature and ends with a status that tells it") {
    Listener listener({"--secret", secret, "--exit-after", "1"});
    egress::ApiClient client({.server = listener.url(), .token = {}});
    CHECK(client.call("POST", "/", "{}", {{"webhook-id", "msg_1"}, {"webhook-timestamp", "1614265330"}})
              .status == 401);
    REQUIRE(listener.child().wait(20s) == 1);
    CHECK(lines_of(listener.child().output()).at(0).at("reason") == "webhook-signature is missing");
}

TEST_CASE("posthorn rekey moves every secret to the new key, and refuses while a service runs") {
    auto options = on_a_database();
    test::Receiver receiver;
    std::string endpoint;
    const auto database = options.database_url;
    {
        test::Service service(options);
        service.make_application("acme");
        endpoint = service.make_endpoint("acme", receiver.url(),
                                         {{"secret", secret}, {"headers", {{"X-Secret", "yes"}}}});
        const auto refused = run_posthorn({"rekey"}, {{"POSTHORN_DATABASE_URL", database},
                                                      {"POSTHORN_MASTER_KEY", std::string(64, '1')},
                                                      {"POSTHORN_NEW_MASTER_KEY", other_master_key}});
        CHECK(refused.status == 1);
        CHECK_THAT(refused.errors, contains("running on this database with the old key"));
        CHECK(service.stop() == 0);
    }
    const std::string old_master_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const auto wrong = run_posthorn({"rekey"}, {{"POSTHORN_DATABASE_URL", database},
                                                {"POSTHORN_MASTER_KEY", std::string(64, '1')},
                                                {"POSTHORN_NEW_MASTER_KEY", other_master_key}});
    CHECK(wrong.status == 1);
    CHECK_THAT(wrong.errors, contains("sealed under another master key"));
    const std::map<std::string, std::string> keys{{"POSTHORN_DATABASE_URL", database},
                                                  {"POSTHORN_MASTER_KEY", old_master_key},
                                                  {"POSTHORN_NEW_MASTER_KEY", other_master_key}};
    const auto done = run_posthorn({"rekey"}, keys);
    INFO(done.errors);
    CHECK(done.status == 0);
    CHECK_THAT(done.output, contains("2 values are encrypted with the new key, 2 of them by this run") &&
                                contains("POSTHORN_MASTER_KEY"));
    CHECK_THAT(run_posthorn({"rekey"}, keys).output,
               contains("2 values are encrypted with the new key, 0 of them"));

    options.environment["POSTHORN_MASTER_KEY"] = other_master_key;
    test::Service service(options);
    CHECK(service.secret_of("acme", endpoint) == secret);
    service.send("acme", "user.created", "{}");
    REQUIRE(receiver.wait_for(1));
    CHECK(verify(receiver.received().front(), secret).valid);
    REQUIRE(receiver.received().front().fields.find("X-Secret"));
}

TEST_CASE("posthorn rekey gives a data directory a new key and keeps the old one") {
    test::TemporaryDirectory directory;
    const std::map<std::string, std::string> environment{
        {"POSTHORN_DATA_DIR", (directory.path() / "data").string()}};
    REQUIRE(run_posthorn({"migrate"}, environment).status == 0);
    const auto secrets = directory.path() / "data" / "secrets";
    const auto done = run_posthorn({"rekey"}, environment);
    INFO(done.errors);
    CHECK(done.status == 0);
    CHECK_THAT(done.output, contains("secrets/master-key.old"));
    CHECK(std::filesystem::exists(secrets / "master-key.old"));
    CHECK_FALSE(std::filesystem::exists(secrets / "master-key.next"));
    CHECK(run_posthorn({"rekey"}, environment).status == 0);
}

TEST_CASE("posthorn demo ends by itself, and every number adds up") {
    const auto demo = run_posthorn({"demo", "--exit", "--events", "60"});
    INFO(demo.output << demo.errors);
    CHECK(demo.status == 0);
    CHECK_THAT(demo.output, contains("Every number adds up"));
}
