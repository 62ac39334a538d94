#include "store/rekey.hpp"

#include <optional>
#include <string>
#include <vector>

#include "store/queries.hpp"

namespace posthorn::store {

using boost::asio::awaitable;

namespace {
std::optional<Secret> open_if_it_opens(const domain::SecretBox& box, EndpointId endpoint,
                                       std::string_view sealed) {
    try {
        return box.open(endpoint, sealed);
    } catch (const std::runtime_error&) {
        return std::nullopt;
    }
}

struct Resealed {
    std::vector<Uuid> ids;
    std::vector<std::string> values;
};

// Columns: id, endpoint, sealed.
RekeyBatch reseal(const Rows& rows, const domain::SecretBox& old_box, const domain::SecretBox& new_box,
                  Resealed& resealed) {
    RekeyBatch batch;
    batch.done = rows.size() < rekey_batch_rows;
    for (int row = 0; row < rows.size(); ++row) {
        batch.last = rows.get<Uuid>(row, 0);
        const auto endpoint = rows.get<EndpointId>(row, 1);
        const auto sealed = rows.get<std::string_view>(row, 2);
        if (open_if_it_opens(new_box, endpoint, sealed)) {
            ++batch.unchanged;
            continue;
        }
        resealed.ids.push_back(batch.last);
        resealed.values.push_back(new_box.seal(endpoint, old_box.open(endpoint, sealed).reveal()));
        ++batch.sealed;
    }
    return batch;
}
}  // namespace

awaitable<bool> try_lock_rekey(Connection& connection) {
    const auto rows = co_await connection.exec(sql::try_lock_rekey);
    co_return rows.get<bool>(0, 0);
}

awaitable<RekeyBatch> rekey_batch(Connection& connection, SealedKind kind, const domain::SecretBox& old_box,
                                  const domain::SecretBox& new_box, Uuid after) {
    const bool secrets = kind == SealedKind::endpoint_secrets;
    const auto& lock_statement = secrets ? sql::lock_sealed_secrets : sql::lock_sealed_headers;
    const auto& replace_statement = secrets ? sql::replace_sealed_secrets : sql::replace_sealed_headers;
    co_return co_await in_transaction(connection, [&]() -> awaitable<RekeyBatch> {
        const auto rows = co_await connection.exec(lock_statement, Params::of(after, rekey_batch_rows));
        Resealed resealed;
        const auto batch = reseal(rows, old_box, new_box, resealed);
        if (resealed.ids.empty()) co_return batch;
        std::vector<Bytes> values;
        for (const auto& value : resealed.values) values.push_back({value});
        co_await connection.exec(replace_statement, Params::of(resealed.ids, values));
        co_return batch;
    });
}

}  // namespace posthorn::store
