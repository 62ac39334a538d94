#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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

// `posthorn serve` with a PostgreSQL of its own in an empty directory, with the settings of production.
class Installation {
public:
    struct Options {
        std::filesystem::path program, parent_directory;
    };
    // Throws std::runtime_error, with what the service logged, if it does not start.
    explicit Installation(const Options& options);

    // One application with one endpoint for each number below `count`; the endpoints' signing keys.
    std::vector<std::string> make_endpoints(std::uint32_t count,
                                            const std::function<std::string(std::uint32_t)>& url_of);
    // Where messages for an endpoint are posted to, once it was made.
    const std::vector<std::string>& paths() const { return paths_; }
    const std::string& token() const { return token_; }
    std::uint16_t port() const;
    pid_t pid() { return service_->child().pid(); }

    int stop() { return service_->stop(); }
    std::string log() { return service_->child().errors(); }

private:
    TemporaryDirectory directory_;
    std::string token_;
    std::unique_ptr<cli::ServiceProcess> service_;
    std::vector<std::string> paths_;
};

}  // namespace posthorn::bench
