#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include "base/encoding.hpp"
#include "config/resolve.hpp"
#include "config/setting_values.hpp"
#include "config/settings_table.hpp"
#include "support/catch.hpp"
#include "support/places.hpp"

using namespace posthorn;
using namespace posthorn::config;
using namespace std::chrono_literals;
using posthorn::test::contains;

namespace {
class File {
public:
    explicit File(const std::string& text) : path_(fmt::format("/tmp/posthorn-settings-{}.toml", getpid())) {
        std::ofstream(path_) << text;
    }
    ~File() { unlink(path_.c_str()); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

Settings good(const Sources& sources) {
    const auto resolved = resolve(sources);
    if (!resolved.problems.empty()) throw SettingsError(resolved.problems);
    return resolved.settings;
}

std::string problems_of(const Sources& sources) {
    const auto resolved = resolve(sources);
    return resolved.problems.empty() ? "none" : SettingsError(resolved.problems).what();
}
}  // namespace

TEST_CASE("without flags, variables and file every setting has its default") {
    const auto s = good({});
    CHECK(s.listen.host == "127.0.0.1");
    CHECK(s.listen.port == 8071);
    CHECK(s.embedded());
    CHECK(s.data_dir == "./posthorn-data");
    CHECK(s.roles == std::set<Role>{Role::ingest, Role::admin, Role::worker});
    CHECK(s.jwt_secret.empty());
    CHECK(s.master_key.empty());
    CHECK(s.retry_schedule == std::vector<std::chrono::milliseconds>{5s, 5min, 30min, 2h, 5h, 10h, 10h});
    CHECK(s.allow_networks.empty());
    CHECK(s.request_timeout == 15s);
    CHECK(s.retention == 90 * 24h);
    CHECK(s.max_delivery_age == 14 * 24h);
    CHECK(s.disable_endpoint_after == 5 * 24h);
    CHECK(s.shutdown_grace == 20s);
    CHECK(s.http_threads >= 1);
    CHECK(s.worker_threads >= 1);
    CHECK(s.log_level == LogLevel::info);
    CHECK(s.log_format == LogFormat::text);
}

TEST_CASE("a flag wins over a variable, a variable over the file, the file over the default") {
    const File file("request_timeout = \"10s\"\nretention = \"30d\"\nlog_level = \"debug\"\n");
    const auto s =
        good({{{"--config", file.path()}, {"--request-timeout", "12s"}},
              {{"POSTHORN_REQUEST_TIMEOUT", "11s"}, {"POSTHORN_RETENTION", "40d"}, {"PATH", "/bin"}}});
    CHECK(s.request_timeout == 12s);
    CHECK(s.retention == 40 * 24h);
    CHECK(s.log_level == LogLevel::debug);
    CHECK(s.shutdown_grace == 17s);
}

TEST_CASE("the file may be named by a variable and holds every type of setting") {
    const File file(R"(
listen = "[::1]:0"
roles = ["ingest", "worker"]
retry_schedule = ["1s", "2s"]
allow_networks = ["127.0.0.0/8", "10.0.0.0/8"]
worker_threads = 3
access_log = true
log_format = "json"
disable_endpoint_after = "0"
database_url = "postgres://someone:hidden@db/posthorn"
)");
    const auto s = good({{}, {{"POSTHORN_CONFIG", file.path()}}});
    CHECK(s.listen.host == "::1");
    CHECK(s.listen.port == 0);
    CHECK_FALSE(s.has_role(Role::admin));
    CHECK(s.retry_schedule == std::vector<std::chrono::milliseconds>{1s, 2s});
    CHECK(s.allow_networks == std::vector<std::string>{"127.0.0.0/8", "10.0.0.0/8"});
    CHECK(s.worker_threads == 3);
    CHECK(s.access_log);
    CHECK(s.log_format == LogFormat::json);
    CHECK(s.disable_endpoint_after == 0s);
    CHECK_FALSE(s.embedded());
}

TEST_CASE("everything that is wrong is reported at once with setting, source and rule") {
    const File file("retentoin = \"30d\"\nhttp_threads = 1.5\n[server]\nlisten = \"x\"\n");
    const auto text =
        problems_of({{{"--config", file.path()}, {"--listen", "nowhere"}, {"--http-threads", "-1"}},
                     {{"POSTHORN_REQUEST_TIMEOUT", "90s"},
                      {"POSTHORN_RETRYSCHEDULE", "5s"},
                      {"POSTHORN_ROLES", "king"}}});
    CHECK_THAT(text, contains("8 settings are wrong"));
    CHECK_THAT(
        text, contains("retentoin (file " + file.path() + " line 1) is no setting; did you mean retention?"));
    CHECK_THAT(text,
               contains("http_threads (file " + file.path() + " line 2) must be a string, a whole number"));
    CHECK_THAT(text, contains("server.listen (file " + file.path() + " line 4) is no setting"));
    CHECK_THAT(text, contains("--listen (flag) must be an address and a port"));
    CHECK_THAT(text, contains("--http-threads (flag) must be a number from 1 to 256"));
    CHECK_THAT(text, contains("POSTHORN_REQUEST_TIMEOUT (environment) must be a duration from 1s to 60s"));
    CHECK_THAT(text, contains("not \"90s\""));
    CHECK_THAT(
        text,
        contains(
            "POSTHORN_RETRYSCHEDULE (environment) is no setting; did you mean POSTHORN_RETRY_SCHEDULE?"));
    CHECK_THAT(text, contains("POSTHORN_ROLES (environment) must be all, or some of ingest, admin, worker"));
}

TEST_CASE("a file that is missing or is not TOML is a problem, not a crash") {
    CHECK_THAT(problems_of({{{"--config", "/nonexistent/posthorn.toml"}}, {}}), contains("cannot be read"));
    const File file("listen = \n");
    CHECK_THAT(problems_of({{{"--config", file.path()}}, {}}), contains("line 1) is not TOML"));
}

TEST_CASE("a bad secret is refused without being shown") {
    const auto text = problems_of({{},
                                   {{"POSTHORN_JWT_SECRET", "hunter2"},
                                    {"POSTHORN_MASTER_KEY", "hunter3"},
                                    {"POSTHORN_DATABASE_URL", "hunter4"}}});
    CHECK_THAT(text, contains("3 settings are wrong"));
    CHECK_THAT(text, contains("openssl rand"));
    CHECK_THAT(text, !contains("hunter"));
}

TEST_CASE("a database's URL says in one way only where the password ends") {
    for (const char* right : {"postgres://u:p@h:5432,i:5433/db?sslmode=require", "postgresql:///db?host=/run",
                              "postgres://u:p%40%2F@h", "host=h password='a@b/c'"}) {
        INFO(right);
        CHECK(good({{}, {{"POSTHORN_DATABASE_URL", right}}}).database_url.reveal() == right);
    }
    for (const char* wrong : {"postgres://u:p@q@h/db", "postgres://u:p/q@h/db", "postgres://u:1?q@h/db",
                              "postgres://u:1#q@h/db", "postgres://h/d@b"}) {
        INFO(wrong);
        CHECK_THAT(problems_of({{}, {{"POSTHORN_DATABASE_URL", wrong}}}), contains("percent-encoded"));
    }
}

TEST_CASE("the master key is 32 bytes in base64 or hex") {
    const std::string key(32, '\x81');
    CHECK(good({{}, {{"POSTHORN_MASTER_KEY", base64_encode(key)}}}).master_key.reveal() == key);
    CHECK(good({{}, {{"POSTHORN_MASTER_KEY", hex_encode(key)}}}).master_key.reveal() == key);
    CHECK_THAT(problems_of({{}, {{"POSTHORN_MASTER_KEY", base64_encode(key + "x")}}}), contains("32 bytes"));
}

TEST_CASE("up to three other master keys may be given, none of them shown") {
    const std::string one = hex_encode(std::string(32, '\x01')), two = base64_encode(std::string(32, '\x02'));
    const auto keys = good({{}, {{"POSTHORN_OTHER_MASTER_KEYS", one + ", " + two}}}).other_master_keys;
    REQUIRE(keys.size() == 2);
    CHECK(keys[0].reveal() == std::string(32, '\x01'));
    CHECK(keys[1].reveal() == std::string(32, '\x02'));
    for (const auto& wrong : {one + ",hunter5", one + ",,", one + "," + one + "," + two + "," + two}) {
        const auto text = problems_of({{}, {{"POSTHORN_OTHER_MASTER_KEYS", wrong}}});
        CHECK_THAT(text, contains("must be at most 3 keys as of master_key"));
        CHECK_THAT(text, !contains("hunter5"));
        CHECK_THAT(text, !contains(one));
    }
}

TEST_CASE("settings that contradict each other are refused") {
    CHECK_THAT(problems_of({{{"--retention", "10d"}}, {}}),
               contains("max_delivery_age (default) must be below the retention (10d)"));
    CHECK_THAT(problems_of({{{"--retry-schedule", "10d,5d"}}, {}}),
               contains("retry_schedule (flag) takes 15d in all"));
    CHECK_THAT(problems_of({{{"--shutdown-grace", "15s"}}, {}}),
               contains("shutdown_grace (flag) must be above the request_timeout"));
}

TEST_CASE("an empty variable counts as not set, an empty flag does not") {
    CHECK(good({{}, {{"POSTHORN_DATABASE_URL", ""}, {"POSTHORN_LISTEN", ""}}}).listen.port == 8071);
    CHECK(good({{{"--retry-schedule", ""}}, {}}).retry_schedule.empty());
    CHECK_THAT(problems_of({{{"--listen", ""}}, {}}), contains("--listen (flag) must be"));
}

TEST_CASE("variables of clients and of Kubernetes are no unknown settings") {
    CHECK(problems_of({{},
                       {{"POSTHORN_TOKEN", "x"},
                        {"POSTHORN_SERVICE_HOST", "10.0.0.1"},
                        {"POSTHORN_PORT_8071_TCP", "tcp://10.0.0.1"}}}) == "none");
}

TEST_CASE("both ends of every range are allowed and what lies beyond is not") {
    for (const auto& setting : all_settings()) {
        if (setting.smallest.empty()) continue;
        INFO(setting.name);
        Settings s;
        CHECK(store_text(setting, setting.smallest, s));
        CHECK(store_text(setting, setting.largest, s));
        const bool duration = !std::holds_alternative<std::size_t Settings::*>(setting.field);
        CHECK_FALSE(store_text(setting, duration ? "1ms" : "1000001", s));
        if (duration) CHECK_FALSE(store_text(setting, std::string(setting.largest) + "1ms", s));
        CHECK(store_text(setting, "0", s) == !setting.zero.empty());
    }
    std::string list = "1s";
    for (std::size_t i = 1; i < schedule_limit; ++i) list += ",1s";
    CHECK(good({{{"--retry-schedule", list}}, {}}).retry_schedule.size() == schedule_limit);
    CHECK_THAT(problems_of({{{"--retry-schedule", list + ",1s"}}, {}}), contains("at most 50 durations"));
}

TEST_CASE("docs/settings.md says what the table of settings says") {
    const auto path = posthorn::test::source_directory() / "docs/settings.md";
    if (std::getenv("UPDATE_DOCS")) std::ofstream(path) << settings_as_markdown();
    std::ifstream file(path);
    const std::string written{std::istreambuf_iterator<char>(file), {}};
    INFO("UPDATE_DOCS=1 before this test program writes the file anew");
    CHECK(written == settings_as_markdown());
}
