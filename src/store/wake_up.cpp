#include "store/wake_up.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
constexpr std::size_t payload_limit_bytes = 7'000;
constexpr std::ptrdiff_t most_endpoints_of_a_shard = 100;

std::string hex(EndpointId endpoint) {
    return hex_encode(
        {reinterpret_cast<const char*>(endpoint.value.bytes.data()), endpoint.value.bytes.size()});
}
}  // namespace

std::vector<std::string> wake_up_payloads(std::vector<std::pair<int, EndpointId>> endpoints) {
    std::sort(endpoints.begin(), endpoints.end());
    endpoints.erase(std::unique(endpoints.begin(), endpoints.end()), endpoints.end());
    std::vector<std::string> payloads;
    const auto add = [&](const std::string& entry) {
        if (payloads.empty() || payloads.back().size() + 1 + entry.size() > payload_limit_bytes)
            payloads.emplace_back();
        if (!payloads.back().empty()) payloads.back() += ',';
        payloads.back() += entry;
    };
    for (auto first = endpoints.begin(); first != endpoints.end();) {
        const auto past =
            std::find_if(first, endpoints.end(), [&](const auto& e) { return e.first != first->first; });
        if (past - first > most_endpoints_of_a_shard) {
            add(fmt::format("{}:*", first->first));
        } else {
            for (auto one = first; one != past; ++one)
                add(fmt::format("{}:{}", one->first, hex(one->second)));
        }
        first = past;
    }
    return payloads;
}

awaitable<void> notify_shards(Connection& connection, std::vector<std::pair<int, EndpointId>> endpoints) {
    for (const auto& payload : wake_up_payloads(std::move(endpoints)))
        co_await connection.exec(sql::notify_shard, Params::of(payload));
}

}  // namespace posthorn::store
