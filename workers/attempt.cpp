#include "workers/attempt.hpp"

#include <algorithm>
#include <boost/algorithm/string/predicate.hpp>

#include "domain/retry_schedule.hpp"

namespace posthorn::workers {

std::uint64_t request_group(EndpointId endpoint) { return std::hash<EndpointId>{}(endpoint); }

egress::Request make_request(const Start& start, const AttemptOptions& options, SystemTime wall) {
    const EndpointConfig& config = *start.config;
    const std::string id = start.delivery.message.str();
    const auto timestamp = std::chrono::duration_cast<std::chrono::seconds>(wall.time_since_epoch()).count();
    std::vector<const domain::SigningKey*> keys;
    for (const auto& key : config.keys)
        if (!key.expires_at || *key.expires_at > wall) keys.push_back(&key.key);
    const std::string signature = domain::signature_header(keys, id, timestamp, *start.delivery.payload);

    egress::Request request;
    request.url = config.url;
    request.parsed_url = config.parsed_url;
    request.headers.reserve(config.headers.size() + 7);
    static const domain::MessageExtras none;
    const auto& extras = start.delivery.extras ? *start.delivery.extras : none;
    const auto is_set = [&](std::string_view name) {
        return std::any_of(extras.headers.begin(), extras.headers.end(),
                           [&](const auto& header) { return boost::algorithm::iequals(header.first, name); });
    };
    if (!is_set("Content-Type"))
        request.headers.emplace_back("Content-Type", extras.raw ? "text/plain" : "application/json");
    const auto add = [&](const std::string& prefix) {
        request.headers.emplace_back(prefix + "id", id);
        request.headers.emplace_back(prefix + "timestamp", std::to_string(timestamp));
        request.headers.emplace_back(prefix + "signature", signature);
    };
    add("webhook-");
    if (options.svix_headers) add("svix-");
    for (const auto& header : config.headers)
        if (!is_set(header.first)) request.headers.push_back(header);
    request.headers.insert(request.headers.end(), extras.headers.begin(), extras.headers.end());
    request.body = start.delivery.payload;
    request.timeout = std::min(config.timeout.value_or(options.request_timeout), options.request_timeout);
    request.http2 = config.http2;
    request.group = request_group(config.id);
    return request;
}

bool is_wanted(const Start& start) {
    const auto& filter = start.config->filter;
    if (!filter || start.delivery.manual) return true;
    const bool raw = start.delivery.extras && start.delivery.extras->raw;
    return !raw && filter->matches(*start.delivery.payload);
}

domain::Verdict judge_result(const egress::Result& result, SystemTime wall) {
    domain::AttemptFacts facts;
    facts.answered = result.failure == egress::Failure::none;
    facts.status = result.status;
    facts.retry_after = domain::parse_retry_after(result.retry_after, wall);
    facts.wants_disable = result.webhook_delivery == "disable";
    facts.wants_abort = result.webhook_delivery == "abort-message";
    facts.refused_by_guard = result.failure == egress::Failure::address_refused;
    return domain::judge(facts);
}

store::AttemptRecord make_record(const Start& start, const egress::Result& result,
                                 const domain::Verdict& verdict, SystemTime wall) {
    const bool answered = result.failure == egress::Failure::none;
    return {.id = AttemptId::make(wall),
            .succeeded = verdict.kind == domain::Verdict::Kind::delivered,
            .status = answered ? result.status : 0,
            .failure = static_cast<int>(result.failure),
            .duration = std::chrono::duration_cast<std::chrono::milliseconds>(result.duration),
            .url = start.config->url,
            .response = answered ? result.body : std::string(egress::to_string(result.failure))};
}

}  // namespace posthorn::workers
