#include "store/event_type.hpp"

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
EventType read_event_type(const Rows& rows, int row) {
    return {rows.get<EventTypeId>(row, 0),
            rows.get<std::string>(row, 1),
            rows.get<std::string>(row, 2),
            rows.get<bool>(row, 3),
            rows.get<bool>(row, 4),
            rows.get<std::optional<std::string>>(row, 5),
            rows.get<std::optional<std::string>>(row, 6),
            rows.get<bool>(row, 7),
            rows.get<SystemTime>(row, 8),
            rows.get<SystemTime>(row, 9)};
}

std::optional<EventType> read_one(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return read_event_type(rows, 0);
}

std::optional<Json> schemas_of(const EventType& event_type) {
    if (!event_type.schemas) return std::nullopt;
    return Json{*event_type.schemas};
}
}  // namespace

awaitable<std::optional<EventType>> load_event_type(Pool& pool, OrganizationId organization,
                                                    std::string name) {
    co_return read_one(co_await pool.exec(sql::load_event_type, Params::of(organization, name)));
}

awaitable<std::vector<EventType>> list_event_types(Pool& pool, OrganizationId organization, NameScan scan,
                                                   EventTypeList what) {
    const auto& statement =
        scan.descending ? sql::list_event_types_descending : sql::list_event_types_ascending;
    const auto rows = co_await pool.exec(
        statement, Params::of(organization, scan.beyond, scan.limit, what.schemas, what.archived));
    std::vector<EventType> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) list.push_back(read_event_type(rows, row));
    co_return list;
}

awaitable<std::optional<EventType>> load_event_type_for_update(Connection& connection,
                                                               OrganizationId organization,
                                                               std::string name) {
    co_return read_one(
        co_await connection.exec(sql::load_event_type_for_update, Params::of(organization, name)));
}

awaitable<EventType> insert_event_type(Connection& connection, OrganizationId organization,
                                       EventType event_type) {
    const auto rows = co_await connection.exec(
        sql::insert_event_type,
        Params::of(organization, event_type.id, event_type.name, event_type.description, event_type.archived,
                   event_type.deprecated, event_type.feature_flag, schemas_of(event_type),
                   event_type.enforce_schema));
    co_return read_event_type(rows, 0);
}

awaitable<std::optional<EventType>> update_event_type(Connection& connection, OrganizationId organization,
                                                      EventType event_type) {
    co_return read_one(co_await connection.exec(
        sql::update_event_type,
        Params::of(organization, event_type.id, event_type.description, event_type.archived,
                   event_type.deprecated, event_type.feature_flag, schemas_of(event_type),
                   event_type.enforce_schema)));
}

awaitable<bool> expunge_event_type(Connection& connection, OrganizationId organization, std::string name) {
    const auto rows = co_await connection.exec(sql::expunge_event_type, Params::of(organization, name));
    co_return rows.affected() > 0;
}

awaitable<std::vector<EventTypeName>> lock_event_types(Connection& connection, OrganizationId organization) {
    const auto rows = co_await connection.exec(sql::lock_event_types, Params::of(organization));
    std::vector<EventTypeName> list;
    for (int row = 0; row < rows.size(); ++row)
        list.push_back(
            {rows.get<EventTypeId>(row, 0), rows.get<std::string>(row, 1), rows.get<bool>(row, 2)});
    co_return list;
}

awaitable<void> archive_event_types(Connection& connection, OrganizationId organization,
                                    std::vector<EventTypeId> event_types) {
    co_await connection.exec(sql::archive_event_types, Params::of(organization, event_types));
}

awaitable<std::map<std::string, std::int64_t>> list_enforced_event_types(Pool& pool,
                                                                         OrganizationId organization,
                                                                         std::vector<std::string> names) {
    const auto rows = co_await pool.exec(sql::list_enforced_event_types, Params::of(organization, names));
    std::map<std::string, std::int64_t> revisions;
    for (int row = 0; row < rows.size(); ++row)
        revisions.emplace(rows.get<std::string>(row, 0), rows.get<std::int64_t>(row, 1));
    co_return revisions;
}

awaitable<std::optional<EnforcedSchemas>> load_enforced_schemas(Pool& pool, OrganizationId organization,
                                                                std::string name) {
    const auto rows = co_await pool.exec(sql::load_enforced_schemas, Params::of(organization, name));
    if (rows.empty()) co_return std::nullopt;
    co_return EnforcedSchemas{rows.get<std::int64_t>(0, 0), rows.get<std::string>(0, 1)};
}

}  // namespace posthorn::store
