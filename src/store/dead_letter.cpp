#include "store/dead_letter.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
Uuid highest_id() {
    Uuid id;
    id.bytes.fill(0xFF);
    return id;
}

DeadLetterRow read_dead_letter(const Rows& rows, int row) {
    return {.application = rows.get<ApplicationId>(row, 0),
            .key = {rows.get<MessageId>(row, 2), rows.get<EndpointId>(row, 1)},
            .event_type = rows.get<std::string>(row, 3),
            .reason = static_cast<domain::DeadLetterReason>(rows.get<std::int16_t>(row, 4)),
            .attempts = rows.get<std::int16_t>(row, 5),
            .ended_at = rows.get<SystemTime>(row, 6)};
}
}  // namespace

Params to_params(const DeadLetterFilter& filter) {
    std::optional<std::int16_t> reason;
    if (filter.reason) reason = static_cast<std::int16_t>(*filter.reason);
    return Params::of(filter.organization, filter.application, filter.endpoint, filter.event_types, reason,
                      filter.after ? uuid_v7_floor(*filter.after) : Uuid{},
                      filter.before ? uuid_v7_floor(*filter.before) : highest_id());
}

awaitable<std::vector<DeadLetterRow>> list_dead_letters(Pool& pool, DeadLetterFilter filter,
                                                        DeadLetterScan scan) {
    auto beyond = scan.beyond;
    if (!beyond) beyond = scan.descending ? DeadLetterKey{{highest_id()}, {highest_id()}} : DeadLetterKey{};
    auto params = to_params(filter);
    params.add(beyond->message).add(beyond->endpoint).add(scan.limit);
    const auto& statement =
        scan.descending ? sql::list_dead_letters_descending : sql::list_dead_letters_ascending;
    const auto rows = co_await pool.exec(statement, std::move(params));
    std::vector<DeadLetterRow> letters;
    for (int row = 0; row < rows.size(); ++row) letters.push_back(read_dead_letter(rows, row));
    co_return letters;
}

awaitable<std::optional<DeadLetterRow>> find_dead_letter(Pool& pool, OrganizationId organization,
                                                         std::optional<ApplicationId> application,
                                                         DeadLetterKey key) {
    const auto rows = co_await pool.exec(sql::find_dead_letter,
                                         Params::of(organization, application, key.message, key.endpoint));
    if (rows.empty()) co_return std::nullopt;
    co_return read_dead_letter(rows, 0);
}

awaitable<bool> discard_dead_letter(Connection& connection, OrganizationId organization,
                                    ApplicationId application, DeadLetterKey key) {
    const auto rows = co_await connection.exec(
        sql::discard_dead_letter, Params::of(organization, application, key.message, key.endpoint));
    co_return rows.affected() > 0;
}

awaitable<std::int64_t> discard_dead_letters(Connection& connection, DeadLetterFilter filter) {
    auto params = to_params(filter);
    params.add(dead_letters_a_batch);
    const auto rows = co_await connection.exec(sql::discard_dead_letters, std::move(params));
    co_return rows.affected();
}

}  // namespace posthorn::store
