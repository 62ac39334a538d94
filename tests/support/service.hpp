#pragma once
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "cli/service_process.hpp"
#include "egress/api_client.hpp"
#include "support/postgres.hpp"
#include "support/secret_watch.hpp"

namespace posthorn::test {

// A real `posthorn serve` on a free port of loopback: on the database given, else with an embedded PostgreSQL
// in a directory of its own. Used by one thread. Whenever it ends, its log (the newest part, where that is
// long) is searched for every secret that went through here: a leak fails the test.
class Service {
public:
    struct Options {
        std::string database_url = {};  // empty: embedded
        // Over the defaults: delivery to 127.0.0.0/8 allowed, retries after 100ms,200ms,400ms, fixed secrets.
        std::map<std::string, std::string> environment = {};
    };

    Service() : Service(Options{}) {}
    explicit Service(Options options);  // start()
    ~Service();

    // The directory and the database stay the same from one start to the next; the port does not. Waits until
    // it answers (at most 120 s). Throws std::runtime_error with its log. What is added to the environment
    // counts for this start alone.
    void start(const std::map<std::string, std::string>& more_environment = {});
    // Both throw std::runtime_error where a secret is in the log.
    int stop();   // SIGTERM; the exit status
    void kill();  // kill -9
    void watch_for(std::string_view secret) { watch_.remember(secret); }
    cli::ChildProcess& process() { return process_->child(); }
    // Also stderr, where its log goes.
    std::string log() const { return process_->child().output() + process_->child().errors(); }

    const std::string& url() const { return process_->url(); }
    const std::filesystem::path& data_dir() const { return data_dir_; }
    const std::string& token() const { return token_; }  // of the default organization
    std::string token_of(OrganizationId organization,
                         std::optional<ApplicationId> application = std::nullopt) const;

    struct Answer {
        int status = 0;
        boost::json::value body;  // null when empty
        egress::ApiClient::Fields fields = {};
    };
    // `path` with its query. Without a token the default organization's is sent; "" sends none. Throws
    // egress::ApiUnreachable.
    Answer api(std::string_view method, const std::string& path, std::string_view body = {},
               std::optional<std::string> token = std::nullopt, const egress::ApiClient::Fields& fields = {});
    // Throws std::runtime_error with the answer unless the status is this one.
    boost::json::value expect(int status, std::string_view method, const std::string& path,
                              std::string_view body = {}, std::optional<std::string> token = std::nullopt);

    // Create through the API; their ids.
    std::string make_application(const std::string& uid = {});
    std::string make_endpoint(const std::string& application, const std::string& url,
                              boost::json::object more = {});
    std::string secret_of(const std::string& application, const std::string& endpoint);
    // Posts {"eventType": type, "payload": payload}, the payload's bytes as they are.
    std::string send(const std::string& application, std::string_view type, std::string_view payload);

private:
    void check_log();

    Options options_;
    SecretWatch watch_;
    bool leaked_ = false;           // and said so
    TemporaryDirectory directory_;  // outlives the process
    std::filesystem::path data_dir_;
    std::string token_;
    std::unique_ptr<cli::ServiceProcess> process_;
    std::unique_ptr<egress::ApiClient> client_;
};

}  // namespace posthorn::test
