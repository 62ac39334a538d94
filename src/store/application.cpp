#include "store/application.hpp"

#include <stdexcept>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
Application read_application(const Rows& rows, int row) {
    return {rows.get<ApplicationId>(row, 0), rows.get<std::optional<std::string>>(row, 1),
            rows.get<std::string>(row, 2),   rows.get<std::optional<std::int32_t>>(row, 3),
            rows.get<std::string>(row, 4),   rows.get<SystemTime>(row, 5),
            rows.get<SystemTime>(row, 6)};
}

std::optional<Application> read_one(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return read_application(rows, 0);
}

std::optional<ApplicationId> read_id(const Rows& rows) {
    if (rows.empty()) return std::nullopt;
    return rows.get<ApplicationId>(0, 0);
}

Params fields_of(OrganizationId organization, const Application& application) {
    return Params::of(organization, application.id, application.uid, application.name, application.rate_limit,
                      Json{application.metadata});
}
}  // namespace

awaitable<std::optional<ApplicationId>> find_application(Pool& pool, OrganizationId organization,
                                                         ApplicationId id) {
    co_return read_id(co_await pool.exec(sql::find_application, Params::of(organization, id)));
}

awaitable<std::optional<ApplicationId>> find_application_by_uid(Pool& pool, OrganizationId organization,
                                                                std::string uid) {
    co_return read_id(co_await pool.exec(sql::find_application_by_uid, Params::of(organization, uid)));
}

awaitable<ApplicationId> find_operational_application(Pool& pool, OrganizationId organization,
                                                      SystemTime now) {
    const std::string uid(operational_uid);
    if (const auto found = co_await find_application_by_uid(pool, organization, uid)) co_return *found;
    co_await pool.exec(sql::make_operational_application,
                       Params::of(organization, ApplicationId::make(now), uid));
    if (const auto found = co_await find_application_by_uid(pool, organization, uid)) co_return *found;
    throw std::logic_error("the operational application is neither there nor can it be made");
}

awaitable<std::optional<Application>> load_application(Pool& pool, OrganizationId organization,
                                                       ApplicationId id) {
    co_return read_one(co_await pool.exec(sql::load_application, Params::of(organization, id)));
}

awaitable<std::vector<Application>> list_applications(Pool& pool, OrganizationId organization, Scan scan) {
    const auto& statement =
        scan.descending ? sql::list_applications_descending : sql::list_applications_ascending;
    const auto rows = co_await pool.exec(statement, Params::of(organization, scan.beyond, scan.limit));
    std::vector<Application> list;
    list.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) list.push_back(read_application(rows, row));
    co_return list;
}

awaitable<std::optional<Application>> load_application_for_update(Connection& connection,
                                                                  OrganizationId organization,
                                                                  ApplicationId id) {
    co_return read_one(
        co_await connection.exec(sql::load_application_for_update, Params::of(organization, id)));
}

awaitable<Application> insert_application(Connection& connection, OrganizationId organization,
                                          Application application) {
    const auto rows = co_await connection.exec(sql::insert_application, fields_of(organization, application));
    co_return read_application(rows, 0);
}

awaitable<std::optional<Application>> update_application(Connection& connection, OrganizationId organization,
                                                         Application application) {
    co_return read_one(
        co_await connection.exec(sql::update_application, fields_of(organization, application)));
}

awaitable<bool> delete_application(Connection& connection, OrganizationId organization, ApplicationId id) {
    const auto rows = co_await connection.exec(sql::delete_application, Params::of(organization, id));
    co_return rows.affected() > 0;
}

awaitable<bool> lock_application(Connection& connection, OrganizationId organization, ApplicationId id) {
    const auto rows = co_await connection.exec(sql::lock_application, Params::of(organization, id));
    co_return !rows.empty();
}

}  // namespace posthorn::store
