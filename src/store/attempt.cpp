#include "store/attempt.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
AttemptRow read_attempt(const Rows& rows, int row) {
    return {.id = rows.get<AttemptId>(row, 0),
            .message = rows.get<MessageId>(row, 1),
            .endpoint = rows.get<EndpointId>(row, 2),
            .manual = rows.get<bool>(row, 3),
            .succeeded = rows.get<bool>(row, 4),
            .status_code = rows.get<std::int16_t>(row, 5),
            .duration = std::chrono::milliseconds(rows.get<std::int32_t>(row, 6)),
            .url = rows.get<std::string>(row, 7),
            .response = rows.get<std::optional<std::string>>(row, 8)};
}

std::vector<AttemptRow> read_attempts(const Rows& rows) {
    std::vector<AttemptRow> attempts;
    attempts.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) attempts.push_back(read_attempt(rows, row));
    return attempts;
}

struct StatusCodes {
    std::optional<std::int16_t> lowest, highest;
};
StatusCodes status_codes(const AttemptFilter& filter) {
    if (!filter.status_code_class) return {};
    const int lowest = *filter.status_code_class;
    return {static_cast<std::int16_t>(lowest), static_cast<std::int16_t>(lowest + 99)};
}
}  // namespace

awaitable<Listing<AttemptRow>> list_attempts_of_endpoint(Pool& pool, ApplicationId application,
                                                         EndpointId endpoint, IdRange range,
                                                         AttemptFilter filter, bool with_response) {
    const auto codes = status_codes(filter);
    const auto read = [&](IdRange part) -> awaitable<std::vector<AttemptRow>> {
        const auto& statement = part.descending ? sql::list_attempts_of_endpoint_descending
                                                : sql::list_attempts_of_endpoint_ascending;
        co_return read_attempts(co_await pool.exec(
            statement,
            Params::of(application, endpoint, part.near, part.far, part.limit, filter.succeeded, codes.lowest,
                       codes.highest, filter.message.event_types, filter.message.channel, with_response)));
    };
    if (!filter.any()) co_return Listing<AttemptRow>{co_await read(range), std::nullopt};
    const auto end_of_window = [&](IdRange rest) -> awaitable<std::optional<Uuid>> {
        const auto& statement =
            rest.descending ? sql::attempt_window_descending : sql::attempt_window_ascending;
        const auto rows = co_await pool.exec(
            statement, Params::of(application, endpoint, rest.near, rest.far, rows_a_window));
        if (rows.empty()) co_return std::nullopt;
        co_return rows.get<Uuid>(0, 0);
    };
    co_return co_await walk_in_windows<AttemptRow>(range, end_of_window, read);
}

awaitable<Listing<AttemptRow>> list_attempts_of_message(Pool& pool, ApplicationId application,
                                                        MessageId message, IdRange range,
                                                        AttemptFilter filter, bool with_response) {
    const auto codes = status_codes(filter);
    const auto& statement =
        range.descending ? sql::list_attempts_of_message_descending : sql::list_attempts_of_message_ascending;
    co_return Listing<AttemptRow>{
        read_attempts(co_await pool.exec(
            statement, Params::of(application, message, range.near, range.far, range.limit, filter.succeeded,
                                  codes.lowest, codes.highest, with_response, filter.endpoint))),
        std::nullopt};
}

awaitable<std::optional<AttemptRow>> find_attempt(Pool& pool, ApplicationId application, MessageId message,
                                                  AttemptId id) {
    const auto rows = co_await pool.exec(sql::find_attempt, Params::of(application, message, id));
    if (rows.empty()) co_return std::nullopt;
    co_return read_attempt(rows, 0);
}

awaitable<bool> expunge_attempt(Connection& connection, ApplicationId application, MessageId message,
                                AttemptId id) {
    const auto rows = co_await connection.exec(sql::expunge_attempt, Params::of(application, message, id));
    co_return rows.affected() > 0;
}

}  // namespace posthorn::store
