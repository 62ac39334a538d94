#include "bench/installation.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <boost/url/url.hpp>
#include <fmt/format.h>
#include <fstream>
#include <linux/magic.h>
#include <stdexcept>
#include <stdlib.h>
#include <sys/vfs.h>
#include <system_error>

#include "base/encoding.hpp"
#include "base/random.hpp"
#include "bench/generator.hpp"
#include "bench/sockets.hpp"
#include "cli/api_session.hpp"
#include "domain/access_token.hpp"
#include "domain/signature.hpp"

namespace posthorn::bench {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {
constexpr std::chrono::seconds start_limit{120};
constexpr std::chrono::hours token_lifetime{24};
constexpr std::size_t key_bytes = 32;

void refuse_memory(const fs::path& directory) {
    struct statfs found{};
    if (statfs(directory.c_str(), &found) != 0) fail_with_errno(directory.c_str());
    if (found.f_type == TMPFS_MAGIC)
        throw std::runtime_error(fmt::format(
            "{} is in memory, where fsync costs nothing: name a directory on a disk", directory.string()));
}
}  // namespace

TemporaryDirectory::TemporaryDirectory(const fs::path& parent) {
    refuse_memory(parent);
    std::string name = (parent / "posthorn-bench-XXXXXX").string();
    if (!mkdtemp(name.data())) fail_with_errno(name.c_str());
    path_ = name;
    fs::permissions(path_, fs::perms(0755));  // as root, PostgreSQL runs as another user
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Installation::Installation(const Options& options)
    : directory_(options.parent_directory),
      database_(std::make_unique<Database>(directory_.path() / "database", options.max_connections)),
      program_(options.program) {
    const auto jwt_secret = hex_encode(random_bytes(key_bytes));
    token_ = domain::make_access_token(Secret(jwt_secret), domain::default_organization(), std::nullopt,
                                       RealClock().system_now(), token_lifetime);
    environment_ = {
        {"POSTHORN_LISTEN", "127.0.0.1:0"},
        {"POSTHORN_DATABASE_URL", database_->conninfo()},
        {"POSTHORN_JWT_SECRET", jwt_secret},
        {"POSTHORN_MASTER_KEY", hex_encode(random_bytes(key_bytes))},
        {"POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8"},
        {"POSTHORN_LOG_LEVEL", "warn"},
        {"POSTHORN_ACCESS_LOG", "false"},
    };
    if (options.authority_pem.empty()) return;
    const auto file = directory_.path() / "authority.pem";
    std::ofstream(file) << options.authority_pem;
    environment_["POSTHORN_CA_FILE"] = file.string();
}

void Installation::start_service() {
    auto environment = environment_;
    environment["POSTHORN_DATA_DIR"] = (directory_.path() / fmt::format("service-{}", started_++)).string();
    auto service = std::make_unique<cli::ServiceProcess>(program_, environment);
    if (!service->wait_until_ready(start_limit))
        throw std::runtime_error("posthorn serve is not ready within its time:\n" +
                                 service->child().errors());
    services_.push_back(std::move(service));
}

void Installation::stop_services() {
    peak_resident_mib_ = peak_resident_mib();
    for (; !services_.empty(); services_.pop_back()) {
        const int status = services_.back()->stop();
        if (exit_status_ == 0) exit_status_ = status;
        fmt::print(stderr, "{}", services_.back()->child().errors());
    }
}

void Installation::kill_service() {
    peak_resident_mib_ = peak_resident_mib();
    services_.back()->kill();
    services_.pop_back();
}

std::vector<std::string> Installation::make_endpoints(std::uint32_t applications,
                                                      std::uint32_t endpoints_each,
                                                      const std::function<std::string(std::uint32_t)>& url_of,
                                                      bool http2) {
    cli::ApiSession api({.server = services_.front()->url(), .token = Secret(token_)});
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < applications; ++i) {
        const auto application = api.expect(
            "POST", "/api/v1/app", json::serialize(json::object{{"name", fmt::format("customer {}", i)}}));
        const auto path = "/api/v1/app/" + cli::text_field(application, "id");
        paths_.push_back(path + "/msg");
        for (std::uint32_t j = 0; j < endpoints_each; ++j) {
            throw_if_interrupted();
            const auto url = url_of(static_cast<std::uint32_t>(keys.size()));
            keys.push_back(
                domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256).text().reveal());
            api.expect(
                "POST", path + "/endpoint",
                json::serialize(json::object{{"url", url}, {"secret", keys.back()}, {"http2", http2}}));
        }
    }
    return keys;
}

std::vector<std::uint16_t> Installation::ports() const {
    std::vector<std::uint16_t> ports;
    for (const auto& service : services_) ports.push_back(boost::urls::url(service->url()).port_number());
    return ports;
}

ProcessIds Installation::processes() {
    ProcessIds ids;
    for (const auto& service : services_) ids.services.push_back(service->child().pid());
    ids.postgres = database_->pid();
    return ids;
}

double Installation::peak_resident_mib() {
    auto peak = peak_resident_mib_;
    for (const auto pid : processes().services) peak = std::max(peak, bench::peak_resident_mib(pid));
    return peak;
}

}  // namespace posthorn::bench
