#include "store/explanation.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
constexpr std::int64_t counted_at_most = 100'000;
}

awaitable<std::optional<ExplanationRow>> explain_delivery(Pool& pool, ApplicationId application,
                                                          EndpointId endpoint, MessageId message) {
    const auto sent_at = uuid_v7_time(message.value);
    const auto rows = co_await pool.exec(
        sql::explain_delivery,
        Params::of(application, endpoint, message, counted_at_most, endpoint.str(), sent_at));
    if (rows.empty()) co_return std::nullopt;
    ExplanationRow row;
    auto& facts = row.facts;
    facts.now = rows.get<SystemTime>(0, 0);
    if (const auto attempt = rows.get<std::optional<std::int16_t>>(0, 1))
        facts.live = {*attempt, rows.get<SystemTime>(0, 2), rows.get<bool>(0, 3),
                      rows.get<std::int64_t>(0, 4)};
    if (const auto reason = rows.get<std::optional<std::int16_t>>(0, 5))
        facts.dead = {static_cast<domain::DeadLetterReason>(*reason), rows.get<std::int16_t>(0, 6)};
    if (const auto succeeded = rows.get<std::optional<bool>>(0, 7))
        facts.last_attempt = {*succeeded, rows.get<std::int16_t>(0, 8)};
    facts.takes_event_type = rows.get<bool>(0, 9);
    facts.takes_channels = rows.get<std::optional<bool>>(0, 10).value_or(false);
    row.filter = rows.get<std::optional<std::string>>(0, 11);
    row.payload = rows.get<std::optional<std::string>>(0, 12);
    row.raw = rows.get<bool>(0, 13);
    facts.disabled = rows.get<bool>(0, 14);
    facts.circuit_open_until = rows.get<std::optional<SystemTime>>(0, 15);
    facts.rate_limit = rows.get<std::optional<std::int32_t>>(0, 16);
    facts.existed =
        rows.get<SystemTime>(0, 17) <= sent_at + std::chrono::milliseconds(1);  // an id's precision
    facts.was_disabled = rows.get<bool>(0, 18);
    co_return row;
}

}  // namespace posthorn::store
