#include "bench/installation.hpp"

#include <boost/json.hpp>
#include <boost/url/url.hpp>
#include <fmt/format.h>
#include <linux/magic.h>
#include <map>
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
constexpr std::size_t jwt_secret_bytes = 32;

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

Installation::Installation(const Options& options) : directory_(options.parent_directory) {
    const auto jwt_secret = hex_encode(random_bytes(jwt_secret_bytes));
    token_ = domain::make_access_token(Secret(jwt_secret), domain::default_organization(), std::nullopt,
                                       RealClock().system_now(), token_lifetime);
    const std::map<std::string, std::string> environment{
        {"POSTHORN_LISTEN", "127.0.0.1:0"},  {"POSTHORN_DATA_DIR", (directory_.path() / "data").string()},
        {"POSTHORN_JWT_SECRET", jwt_secret}, {"POSTHORN_ALLOW_NETWORKS", "127.0.0.0/8"},
        {"POSTHORN_LOG_LEVEL", "warn"},      {"POSTHORN_ACCESS_LOG", "false"},
    };
    service_ = std::make_unique<cli::ServiceProcess>(options.program, environment);
    if (!service_->wait_until_ready(start_limit))
        throw std::runtime_error("posthorn serve is not ready within its time:\n" + log());
}

std::vector<std::string> Installation::make_endpoints(
    std::uint32_t count, const std::function<std::string(std::uint32_t)>& url_of) {
    cli::ApiSession api({.server = service_->url(), .token = Secret(token_)});
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < count; ++i) {
        if (interrupted) throw Interrupted();
        const auto application = api.expect(
            "POST", "/api/v1/app", json::serialize(json::object{{"name", fmt::format("customer {}", i)}}));
        const auto path = "/api/v1/app/" + cli::text_field(application, "id");
        keys.push_back(domain::SigningKey::generate(domain::SigningKey::Kind::hmac_sha256).text().reveal());
        api.expect("POST", path + "/endpoint",
                   json::serialize(json::object{{"url", url_of(i)}, {"secret", keys.back()}}));
        paths_.push_back(path + "/msg");
    }
    return keys;
}

std::uint16_t Installation::port() const { return boost::urls::url(service_->url()).port_number(); }

}  // namespace posthorn::bench
