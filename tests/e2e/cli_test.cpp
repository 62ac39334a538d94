// The commands that need no running service, as a user calls them.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/clock.hpp"
#include "command_line.hpp"
#include "domain/access_token.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"

using namespace posthorn;
using posthorn::test::contains;
using posthorn::test::run_posthorn;
using posthorn::test::TemporaryDirectory;

namespace {
// The example of the Standard Webhooks specification.
const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const std::string timestamp = "1614265330";
const std::string body = R"({"test": 2432232314})";
const std::string signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const std::string jwt_secret = "a secret of sixteen or more characters";

std::string content_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

domain::AccessToken verified(std::string token, SystemTime now = RealClock().system_now()) {
    REQUIRE(token.ends_with('\n'));
    token.pop_back();
    const auto result = domain::verify_access_token(Secret(jwt_secret), token, now);
    if (const auto* error = std::get_if<domain::TokenError>(&result)) FAIL(error->reason);
    return std::get<domain::AccessToken>(result);
}
}  // namespace

TEST_CASE("posthorn tells its commands, and knows a mistyped one") {
    const auto help = run_posthorn({"--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.output, contains("serve") && contains("dead-letters"));
    CHECK(run_posthorn({}).status == 2);
    const auto mistyped = run_posthorn({"dead-leters"});
    CHECK(mistyped.status == 2);
    CHECK_THAT(mistyped.errors, contains("Did you mean: posthorn dead-letters"));
    CHECK_THAT(run_posthorn({"weird"}).errors, contains("posthorn --help"));
}

TEST_CASE("posthorn --version tells the project's version") {
    const auto shown = run_posthorn({"--version"}).output;
    REQUIRE(shown.starts_with("posthorn "));
    const auto version = shown.substr(9, shown.size() - 10);
    CHECK_THAT(content_of(test::source_directory() / "CMakeLists.txt"),
               contains("project(posthorn VERSION " + version + " "));
}

TEST_CASE("every command explains itself, and refuses an option that it does not have") {
    const auto* command =
        GENERATE("serve", "demo", "token", "send", "listen", "verify", "dead-letters", "migrate", "rekey");
    const auto help = run_posthorn({command, "--help"});
    CHECK(help.status == 0);
    CHECK_THAT(help.output, contains("Usage: posthorn " + std::string(command)));
    const auto refused = run_posthorn({command, "--no-such-option"});
    CHECK(refused.status == 2);
    CHECK_THAT(refused.errors, contains("--help"));
}

TEST_CASE("posthorn token makes tokens of an organization, and of one application") {
    const std::map<std::string, std::string> environment{{"POSTHORN_JWT_SECRET", jwt_secret}};
    const auto of_default = run_posthorn({"token"}, environment);
    REQUIRE(of_default.status == 0);
    CHECK(verified(of_default.output).organization == domain::default_organization());
    CHECK_NOTHROW(verified(of_default.output, RealClock().system_now() + std::chrono::days(3649)));

    const auto organization = OrganizationId::make(RealClock().system_now());
    const auto application = ApplicationId::make(RealClock().system_now());
    const auto of_application = run_posthorn(
        {"token", "--org", organization.str(), "--app", application.str(), "--lifetime", "1h"}, environment);
    REQUIRE(of_application.status == 0);
    CHECK(verified(of_application.output).organization == organization);
    CHECK(verified(of_application.output).application == application);
}

TEST_CASE("posthorn token takes the secret from a file, and says where one could come from") {
    TemporaryDirectory directory;
    const auto file = directory.path() / "secret";
    std::ofstream(file) << jwt_secret << "\n";
    const auto made = run_posthorn({"token", "--jwt-secret-file", file.string()});
    REQUIRE(made.status == 0);
    CHECK(verified(made.output).organization == domain::default_organization());

    const auto missing = run_posthorn({"token", "--data-dir", (directory.path() / "none").string()});
    CHECK(missing.status == 1);
    CHECK_THAT(missing.errors, contains("posthorn serve") && contains("POSTHORN_JWT_SECRET"));
    CHECK(run_posthorn({"token", "--lifetime", "soon"}).status == 2);
    CHECK(run_posthorn({"token", "--app", "my-uid"}).status == 2);
}

TEST_CASE("posthorn verify says that a signature is right, or why it is not") {
    const std::vector<std::string> arguments{"verify",  "--secret",    secret,    "--id",
                                             id,        "--timestamp", timestamp, "--signature",
                                             signature, "--tolerance", "3650d"};
    const auto valid = run_posthorn(arguments, {}, body);
    CHECK(valid.status == 0);
    CHECK_THAT(valid.output, contains("valid: signed with this secret"));
    const auto longer = run_posthorn(arguments, {}, body + "\n");
    CHECK(longer.status == 1);
    CHECK_THAT(longer.output, contains("newline at its end"));
    auto impatient = arguments;
    impatient.resize(impatient.size() - 2);
    CHECK_THAT(run_posthorn(impatient, {}, body).output, contains("old, more than the 5 minutes allowed"));
    CHECK(run_posthorn({"verify", "--secret", secret, "--id", id}, {}, body).status == 2);
}

TEST_CASE("posthorn verify reads a recorded request") {
    const auto head = "POST /hook HTTP/1.1\r\nHost: example.com\r\nWebhook-Id: " + id +
                      "\r\nwebhook-timestamp: " + timestamp + "\r\nWebhook-Signature: " + signature + "\r\n";
    const std::vector<std::string> arguments{"verify", "--secret",  secret, "--tolerance",
                                             "3650d",  "--request", "-"};
    CHECK(run_posthorn(arguments, {}, head + "\r\n" + body).status == 0);
    const auto cut = run_posthorn(arguments, {}, head + "Content-Length: 20\r\n\r\n" + body + "\n");
    CHECK(cut.status == 0);
    CHECK_THAT(cut.output, contains("the first 20 were taken"));
    CHECK_THAT(run_posthorn(arguments, {}, "no headers at all").errors, contains("is no header field"));
    CHECK_THAT(run_posthorn(arguments, {}, "Host: example.com\n\n{}").output,
               contains("webhook-id is missing"));
}

TEST_CASE("posthorn migrate says what it did") {
    const std::map<std::string, std::string> environment{
        {"POSTHORN_DATABASE_URL", test::TestPostgres::instance().make_database()}};
    const auto first = run_posthorn({"migrate"}, environment);
    CHECK(first.status == 0);
    CHECK_THAT(first.output, contains("applied") && contains("the schema is at version"));
    CHECK_THAT(run_posthorn({"migrate"}, environment).output, contains("nothing to do"));
}

TEST_CASE("posthorn migrate makes an embedded database that a service can start on") {
    TemporaryDirectory directory;
    const auto data = directory.path() / "data";
    const auto migrated = run_posthorn({"migrate", "--data-dir", data.string()});
    INFO(migrated.errors);
    CHECK(migrated.status == 0);
    CHECK(std::filesystem::exists(data / "secrets" / "master-key"));
    CHECK_THAT(run_posthorn({"migrate", "--data-dir", data.string()}).output, contains("nothing to do"));
}

TEST_CASE("posthorn send says what is wrong with an event before anything is sent") {
    const std::vector<std::string> arguments{"send",         "--app",   "acme", "--type",
                                             "user.created", "--token", "any"};
    CHECK_THAT(run_posthorn(arguments, {}, R"({"a": 1,})").errors,
               contains("not JSON") && contains("at byte 8"));
    CHECK_THAT(run_posthorn(arguments, {}, "[1]").errors, contains("no object"));
    CHECK_THAT(run_posthorn(arguments, {}, "{} {}").errors, contains("not JSON"));
    CHECK(run_posthorn({"send", "--type", "user.created"}, {}, "{}").status == 2);
}

TEST_CASE("a command that reaches no service asks whether there is one") {
    const auto refused = run_posthorn({"send", "--app", "acme", "--type", "user.created", "--token", "any",
                                       "--server", "http://127.0.0.1:1"},
                                      {}, "{}");
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, contains("Is `posthorn serve` running?"));
}
