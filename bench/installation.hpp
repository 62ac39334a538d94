#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/database.hpp"
#include "bench/machine.hpp"
#include "cli/service_process.hpp"

namespace posthorn::bench {

// A directory of its own, gone with this object.
class TemporaryDirectory {
public:
    // Throws std::system_error; std::runtime_error on a file system in memory, where fsync means nothing.
    explicit TemporaryDirectory(const std::filesystem::path& parent);
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

// The embedded PostgreSQL in an empty directory and any number of `posthorn serve` beside it, with the
// settings of production.
class Installation {
public:
    struct Options {
        std::filesystem::path program, parent_directory;
        int max_connections = 100;
        std::string authority_pem;  // that HTTPS endpoints are checked against; empty: the system's
    };
    explicit Installation(const Options& options);

    // Throws std::runtime_error, with what the service logged, if it does not start.
    void start_service();
    // Ends all, the youngest first. Their peak memory and exit statuses are kept, their logs written to ours.
    void stop_services();
    void kill_service();  // kill -9 of the youngest
    std::size_t services() const { return services_.size(); }

    // Applications with endpoints, numbered in this order; the endpoints' signing keys.
    std::vector<std::string> make_endpoints(std::uint32_t applications, std::uint32_t endpoints_each,
                                            const std::function<std::string(std::uint32_t)>& url_of,
                                            bool http2 = false);
    // Where messages for an application are posted to, once it was made.
    const std::vector<std::string>& paths() const { return paths_; }
    const std::string& token() const { return token_; }
    std::vector<std::uint16_t> ports() const;  // the oldest service's first
    ProcessIds processes();

    const Database& database() const { return *database_; }
    const std::filesystem::path& directory() const { return directory_.path(); }
    double peak_resident_mib();                       // of the one that used most, so far
    int exit_status() const { return exit_status_; }  // the first that was not 0, of those that were stopped

private:
    TemporaryDirectory directory_;
    std::unique_ptr<Database> database_;
    std::filesystem::path program_;
    std::string token_;
    std::map<std::string, std::string> environment_;
    std::vector<std::unique_ptr<cli::ServiceProcess>> services_;
    std::vector<std::string> paths_;
    double peak_resident_mib_ = 0;
    int started_ = 0, exit_status_ = 0;
};

}  // namespace posthorn::bench
