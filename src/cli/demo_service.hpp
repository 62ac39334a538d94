#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "cli/api_session.hpp"
#include "cli/service_process.hpp"
#include "cli/stop_signals.hpp"

namespace posthorn::cli {

// The service that the demo shows: this same program as a child, on a free port, with a database of its own.
class DemoService {
public:
    // Without a directory it is a temporary one, which is removed at the end of this object.
    explicit DemoService(const std::filesystem::path& data_dir);
    ~DemoService();

    // Until it answers that it is ready. Throws CommandFailed with its log when it does not within 2 minutes,
    // Interrupted.
    void wait_until_ready(StopSignals& signals);
    // After that.
    const std::string& url() const { return process_->url(); }
    const std::string& token() const { return token_; }
    ApiSession connect() const;

    bool running() { return !process_->child().wait(std::chrono::milliseconds(0)); }
    std::string log() const { return process_->child().errors(); }
    int stop() { return process_->stop(); }

private:
    std::optional<std::filesystem::path> temporary_;
    std::filesystem::path data_dir_;
    std::unique_ptr<ServiceProcess> process_;
    std::string token_;
};

}  // namespace posthorn::cli
