#include "egress/address_guard.hpp"

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <variant>

#include "egress/name_resolver.hpp"

namespace posthorn::egress {

namespace asio = boost::asio;

namespace {
constexpr std::chrono::seconds check_limit{5};
}

bool AddressGuard::allows(const asio::ip::address& address) const {
    return domain::is_public(address) ||
           std::any_of(allowed_.begin(), allowed_.end(),
                       [&](const auto& network) { return network.contains(address); });
}

struct HostChecker::Impl {
    asio::any_io_executor executor;
    std::shared_ptr<const AddressGuard> guard;
    NameResolver resolver;

    HostCheck judge(const std::vector<asio::ip::address>& addresses) const {
        if (addresses.empty()) return HostCheck::unresolved;
        const bool all_allowed =
            std::all_of(addresses.begin(), addresses.end(), [&](const auto& a) { return guard->allows(a); });
        return all_allowed ? HostCheck::allowed : HostCheck::refused;
    }
};

HostChecker::HostChecker(asio::any_io_executor executor, std::shared_ptr<const AddressGuard> guard,
                         const std::vector<std::string>& name_servers)
    : impl_(new Impl{executor, std::move(guard), {executor, name_servers}}) {}

HostChecker::~HostChecker() = default;

asio::awaitable<HostCheck> HostChecker::check(std::string host) {
    using asio::experimental::awaitable_operators::operator||;
    boost::system::error_code error;
    const auto literal = asio::ip::make_address(host, error);
    if (!error) co_return impl_->judge({literal});
    if (const auto known = impl_->resolver.cached(host)) co_return impl_->judge(known->addresses);

    asio::steady_timer limit(impl_->executor, check_limit);
    const auto first = co_await (impl_->resolver.resolve(host) || limit.async_wait(asio::use_awaitable));
    const auto* answer = std::get_if<NameAnswerPtr>(&first);
    co_return answer != nullptr ? impl_->judge((*answer)->addresses) : HostCheck::unresolved;
}

}  // namespace posthorn::egress
