#include "cli/demo_service.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <stdlib.h>
#include <system_error>

#include "cli/client_token.hpp"
#include "domain/access_token.hpp"

namespace posthorn::cli {

namespace fs = std::filesystem;

namespace {
constexpr std::chrono::minutes start_limit{2};
constexpr std::chrono::milliseconds start_slice{50};
constexpr std::chrono::hours token_lifetime{24};
constexpr std::chrono::seconds call_timeout{20};

// Others may pass through it: as root, PostgreSQL runs as another user.
fs::path make_temporary_directory() {
    auto name = (fs::temp_directory_path() / "posthorn-demo-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr)
        throw std::system_error(errno, std::generic_category(),
                                "cannot make a directory in " + fs::temp_directory_path().string());
    fs::permissions(name, fs::perms(0711));
    return name;
}
}  // namespace

DemoService::DemoService(const fs::path& data_dir) {
    if (data_dir.empty()) {
        temporary_ = make_temporary_directory();
        data_dir_ = *temporary_ / "data";
    } else {
        data_dir_ = fs::absolute(data_dir);
    }
    process_ = std::make_unique<ServiceProcess>(fs::read_symlink("/proc/self/exe"),
                                                std::map<std::string, std::string>{
                                                    {"POSTHORN_LISTEN", "127.0.0.1:0"},
                                                    {"POSTHORN_DATA_DIR", data_dir_.string()},
                                                    {"POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8"},
                                                    {"POSTHORN_RETRY_SCHEDULE", "200ms,400ms,800ms"},
                                                });
}

DemoService::~DemoService() {
    process_.reset();
    std::error_code ignored;
    if (temporary_) fs::remove_all(*temporary_, ignored);
}

void DemoService::wait_until_ready(StopSignals& signals) {
    const auto deadline = std::chrono::steady_clock::now() + start_limit;
    while (!process_->wait_until_ready(start_slice)) {
        signals.pause(std::chrono::milliseconds(0));
        if (std::chrono::steady_clock::now() >= deadline) throw CommandFailed("the service does not start");
    }
    config::Settings settings;
    settings.data_dir = data_dir_;
    token_ =
        make_client_token(std::move(settings), domain::default_organization(), std::nullopt, token_lifetime);
    auto api = connect();
    while (api.call("GET", "/ready").status != 200) {
        signals.pause(start_slice);
        if (std::chrono::steady_clock::now() >= deadline)
            throw CommandFailed("the service does not become ready");
    }
}

ApiSession DemoService::connect() const {
    egress::ApiClient::Options options;
    options.server = url();
    options.token = Secret(token_);
    options.timeout = call_timeout;
    return ApiSession(std::move(options));
}

}  // namespace posthorn::cli
