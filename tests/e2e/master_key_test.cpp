// The master key is changed while services run and deliver.
#include <algorithm>
#include <array>
#include <atomic>
#include <fmt/format.h>
#include <mutex>
#include <sstream>
#include <thread>

#include "base/encoding.hpp"
#include "command_line.hpp"
#include "domain/secret_box.hpp"
#include "support/becomes_true.hpp"
#include "support/catch.hpp"
#include "support/receiver.hpp"
#include "support/service.hpp"

using namespace posthorn;
using namespace std::chrono_literals;
using posthorn::test::contains;
using posthorn::test::run_posthorn;

namespace {
const std::string old_key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string new_key = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f";
const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

using Environment = std::map<std::string, std::string>;

Environment keys(const std::string& master, const std::string& other = {}) {
    return {{"POSTHORN_MASTER_KEY", master}, {"POSTHORN_OTHER_MASTER_KEYS", other}};
}

// Messages one after the other to whichever of the services answers, each until it is accepted.
class Backend {
public:
    explicit Backend(std::string token) : token_(std::move(token)) {}

    void serve_at(std::size_t place, std::string url) {  // empty: not for the moment
        const std::lock_guard lock(mutex_);
        urls_.at(place) = std::move(url);
    }
    void begin() {
        thread_ = std::jthread([this](const std::stop_token& stop) {
            while (!stop.stop_requested()) submit();
        });
    }
    std::size_t end() {
        thread_.request_stop();
        thread_.join();
        return accepted_;
    }
    std::size_t accepted() const { return accepted_; }

private:
    void submit() {
        const auto body = fmt::format(R"({{"eventType":"a","eventId":"event-{}","payload":{{"n":{}}}}})",
                                      accepted_.load(), accepted_.load());
        for (std::size_t place = 0;; place = (place + 1) % urls_.size()) {
            const auto url = url_of(place);
            if (url.empty()) continue;
            egress::ApiClient client({.server = url, .token = Secret(token_)});
            try {
                if (client.call("POST", "/api/v1/app/acme/msg", body).status != 202) continue;
            } catch (const egress::ApiUnreachable&) {
                continue;
            }
            ++accepted_;
            return;
        }
    }
    std::string url_of(std::size_t place) {
        const std::lock_guard lock(mutex_);
        return urls_.at(place);
    }

    std::string token_;
    std::mutex mutex_;
    std::array<std::string, 2> urls_;
    std::atomic<std::size_t> accepted_{0};
    std::jthread thread_;
};

struct Rotation {
    std::string database = test::TestPostgres::instance().make_database();
    test::Receiver receiver;
    test::Service first{{.database_url = database, .environment = {}}};
    test::Service second{{.database_url = database, .environment = {}}};
    Backend backend{first.token()};
    std::vector<std::string> paths;

    Rotation() {
        first.make_application("acme");
        backend.serve_at(0, first.url());
        backend.serve_at(1, second.url());
    }
    // One after the other: somebody is always there.
    void restart_all(const Environment& environment) {
        restart(0, first, environment);
        restart(1, second, environment);
    }
    void restart(std::size_t place, test::Service& service, const Environment& environment) {
        backend.serve_at(place, {});
        CHECK(service.stop() == 0);
        service.start(environment);
        backend.serve_at(place, service.url());
    }
    void make_endpoint(test::Service& through, const std::string& path) {
        through.make_endpoint("acme", receiver.url(path),
                              {{"secret", secret}, {"headers", {{"Authorization", "Bearer of " + path}}}});
        paths.push_back(path);
    }
    test::Finished rekey(Environment environment) {
        environment["POSTHORN_DATABASE_URL"] = database;
        return run_posthorn({"rekey"}, environment);
    }
    // Whatever was done last, deliveries to every endpoint go on: one whose secret does not open would wait.
    void deliver_more() {
        const auto before = static_cast<std::ptrdiff_t>(receiver.count());
        for (const auto& path : paths)
            REQUIRE(receiver.wait_until([&](const std::vector<test::Received>& all) {
                return std::count_if(all.begin() + before, all.end(),
                                     [&](const auto& one) { return one.path == path; }) >= 50;
            }));
    }
    // "endpoint sealed" in hex, a line for each value.
    std::string sealed_values() const {
        return test::run_sql(
            database,
            "SELECT string_agg(id || ' ' || sealed, E'\\n') FROM ("
            "SELECT id_text('ep', endpoint_id) AS id, encode(sealed, 'hex') AS sealed FROM endpoint_secret "
            "UNION ALL SELECT id_text('ep', id), encode(headers, 'hex') FROM endpoint WHERE headers IS NOT "
            "NULL) v");
    }
    std::string count_of(const std::string& from) const {
        return test::run_sql(database, "SELECT count(*) FROM " + from);
    }
};

std::size_t count_opened(const std::string& values, const std::string& key) {
    const domain::SecretBox box(Secret(hex_decode(key).value()));
    std::istringstream lines(values);
    std::size_t opened = 0;
    for (std::string id, sealed; lines >> id >> sealed;) {
        try {
            (void)box.open(EndpointId::parse(id).value(), hex_decode(sealed).value());
            ++opened;
        } catch (const std::runtime_error&) {
        }
    }
    return opened;
}
}  // namespace

TEST_CASE(
    "the master key is changed under load: nothing fails, every signature is right, the old key opens "
    "nothing") {
    Rotation r;
    r.make_endpoint(r.first, "/before");
    r.backend.begin();
    r.deliver_more();

    r.restart_all(keys(old_key, new_key));
    r.restart(0, r.first, keys(new_key, old_key));
    r.make_endpoint(r.first, "/of-the-new-key");  // the second service seals under the old one
    r.make_endpoint(r.second, "/of-the-old-key");
    r.deliver_more();
    const auto refused = r.rekey(keys(new_key, old_key));
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, contains("1 posthorn process is running on this database with the old key"));
    r.restart(1, r.second, keys(new_key, old_key));
    r.deliver_more();

    const auto done = r.rekey(keys(new_key, old_key));
    INFO(done.errors);
    CHECK(done.status == 0);
    CHECK_THAT(done.output, contains("6 values are encrypted with the master key, 4 of them by this run") &&
                                contains("without POSTHORN_OTHER_MASTER_KEYS"));
    const auto values = r.sealed_values();
    CHECK(count_opened(values, old_key) == 0);
    CHECK(count_opened(values, new_key) == 6);
    r.restart_all(keys(new_key));
    r.deliver_more();

    const auto accepted = r.backend.end();
    REQUIRE(test::becomes_true([&] { return r.count_of("delivery") == "0"; }));
    CHECK(r.count_of("message") == std::to_string(accepted));
    CHECK(r.count_of("attempt WHERE NOT succeeded") == "0");
    CHECK(r.count_of("dead_letter") == "0");
    for (const auto& request : r.receiver.received()) {
        INFO(request.path << " " << request.id);
        REQUIRE(verify(request, secret).valid);
        REQUIRE(request.fields.find("Authorization") != nullptr);
        REQUIRE(*request.fields.find("Authorization") == "Bearer of " + request.path);
    }
}

TEST_CASE("posthorn rekey sees services that do not deliver, and takes the new key from one place only") {
    const auto database = test::TestPostgres::instance().make_database();
    test::Service service({.database_url = database, .environment = {{"POSTHORN_ROLES", "admin"}}});
    Environment environment{{"POSTHORN_DATABASE_URL", database},
                            {"POSTHORN_MASTER_KEY", old_key},
                            {"POSTHORN_NEW_MASTER_KEY", new_key}};
    const auto refused = run_posthorn({"rekey"}, environment);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.errors, contains("running on this database with the old key"));
    CHECK(service.stop() == 0);
    CHECK(test::run_sql(database, "SELECT count(*) FROM sealer") == "0");
    environment["POSTHORN_OTHER_MASTER_KEYS"] = old_key;
    CHECK_THAT(run_posthorn({"rekey"}, environment).errors, contains("Leave POSTHORN_NEW_MASTER_KEY out"));
}
