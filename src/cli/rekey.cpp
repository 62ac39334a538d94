#include "store/rekey.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

#include "cli/command.hpp"
#include "cli/database_of_command.hpp"
#include "cli/generated_secrets.hpp"
#include "cli/new_master_key.hpp"
#include "cli/run_commands.hpp"
#include "cli/settings_from_command_line.hpp"
#include "store/deadlock.hpp"
#include "store/lease.hpp"
#include "store/migrations.hpp"
#include "store/sealer.hpp"

namespace posthorn::cli {

using boost::asio::awaitable;

namespace {
constexpr auto watch_time = 3 * store::renewal_interval;

struct Totals {
    std::int64_t sealed = 0;  // under the new key, by this run
    std::int64_t values = 0;  // there are
};

// Hosts of running processes that do not seal under this key. A running process moves its counter every
// second; rows of killed ones stand still.
awaitable<std::vector<std::string>> find_other_sealers(store::Connection& connection,
                                                       const std::string& fingerprint) {
    const auto before = co_await store::list_sealers(connection);
    if (std::all_of(before.begin(), before.end(),
                    [&](const store::Sealer& row) { return row.fingerprint == fingerprint; }))
        co_return std::vector<std::string>{};
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, watch_time);
    co_await timer.async_wait(boost::asio::use_awaitable);
    std::vector<std::string> hosts;
    for (const auto& row : co_await store::list_sealers(connection)) {
        const bool stands_still = std::any_of(before.begin(), before.end(), [&](const store::Sealer& other) {
            return other.id == row.id && other.counter == row.counter;
        });
        if (!stands_still && row.fingerprint != fingerprint) hosts.push_back(row.host);
    }
    co_return hosts;
}

awaitable<void> refuse_other_sealers(store::Connection& connection, const domain::SecretBox& new_box) {
    const auto hosts = co_await find_other_sealers(connection, new_box.fingerprint());
    if (hosts.empty()) co_return;
    throw CommandFailed(
        fmt::format("{} posthorn process{} running on this database with the old key (on {})", hosts.size(),
                    hosts.size() == 1 ? " is" : "es are", fmt::join(hosts, ", ")),
        "Restart them with the new key as POSTHORN_MASTER_KEY and the old one in POSTHORN_OTHER_MASTER_KEYS, "
        "or stop them; then run this again. With --force they go on, but can deliver nothing whose secret "
        "they read anew until they are restarted with the new key.");
}

awaitable<Totals> rekey_once(store::Connection& connection, const domain::SecretBox& old_box,
                             const domain::SecretBox& new_box) {
    Totals totals;
    for (const auto kind : {store::SealedKind::endpoint_secrets, store::SealedKind::endpoint_headers}) {
        store::RekeyBatch batch;
        while (!batch.done) {
            batch = co_await store::again_after_deadlocks([&] {  // services change endpoints meanwhile
                return store::rekey_batch(connection, kind, old_box, new_box, batch.last);
            });
            totals.sealed += batch.sealed;
            totals.values += batch.sealed + batch.unchanged;
        }
    }
    co_return totals;
}

awaitable<Totals> rekey(store::Connection& connection, const domain::SecretBox& old_box,
                        const domain::SecretBox& new_box, bool force) {
    co_await store::migrate(connection);
    if (!co_await store::try_lock_rekey(connection))
        throw CommandFailed("another posthorn rekey is working on this database", "Wait until it has ended.");
    if (!force) co_await refuse_other_sealers(connection, new_box);
    // Again, until nothing is found: what was sealed meanwhile in front of where a pass was is behind it.
    Totals totals = co_await rekey_once(connection, old_box, new_box);
    for (auto last = totals; last.sealed > 0;) {
        last = co_await rekey_once(connection, old_box, new_box);
        totals = {totals.sealed + last.sealed, last.values};
    }
    if (!force) co_await refuse_other_sealers(connection, new_box);  // that began meanwhile
    co_return totals;
}

// The services' own settings say all: what another of their keys sealed goes under their master key.
Totals rekey_to_master_key(const config::Settings& settings, bool force) {
    auto others = settings.other_master_keys;
    const auto first = others.front();
    others.erase(others.begin());
    const domain::SecretBox old_box(first, std::move(others)), new_box(settings.master_key);
    DatabaseOfCommand database(settings);
    return database.run<Totals>(
        [&](store::Connection& connection) { return rekey(connection, old_box, new_box, force); });
}

// `data_dir`: has the key in a file.
Totals rekey_to_new_key(const config::Settings& settings, const std::string& text,
                        const std::optional<std::filesystem::path>& data_dir, bool force) {
    DatabaseOfCommand database(settings);  // holds the data directory: nobody else makes a key meanwhile
    const NewMasterKey key(text, data_dir);
    const domain::SecretBox old_box(settings.master_key), new_box(key.secret());
    const auto totals = database.run<Totals>(
        [&](store::Connection& connection) { return rekey(connection, old_box, new_box, force); });
    key.put_in_place();
    return totals;
}
}  // namespace

int run_rekey(int argc, char** argv) {
    const auto app = make_app(
        "rekey", "Encrypts every endpoint's secrets and headers with another master key.",
        "Beside services that run: with their POSTHORN_MASTER_KEY and POSTHORN_OTHER_MASTER_KEYS, what the "
        "other keys encrypted goes under the master key (docs/master-key.md). While none runs: the old key "
        "is POSTHORN_MASTER_KEY or the data directory's; the new one is POSTHORN_NEW_MASTER_KEY or, for the "
        "data directory, a generated one. Interrupted, it is run again with the same keys. Backups from "
        "before still need the old key.");
    std::string new_key_text;
    bool force = false;
    // No flag of its own: other users can see flags.
    app->add_option("--new-master-key", new_key_text)->envname("POSTHORN_NEW_MASTER_KEY")->group("");
    app->add_flag("--force", force, "although services are running with the old key");
    const SettingsFlags settings_flags(*app, {"database_url", "data_dir"});
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    auto settings = settings_flags.settings();
    const bool to_master_key = !settings.other_master_keys.empty();
    if (to_master_key && !new_key_text.empty())
        throw CommandFailed("with POSTHORN_OTHER_MASTER_KEYS the new key is POSTHORN_MASTER_KEY",
                            "Leave POSTHORN_NEW_MASTER_KEY out.");
    const bool key_in_file = settings.embedded() && settings.master_key.empty();
    complete_secrets(settings, {.jwt_secret = false, .master_key = true, .make_missing = false});
    const auto data_dir = key_in_file ? std::optional(settings.data_dir) : std::nullopt;
    const auto totals = to_master_key ? rekey_to_master_key(settings, force)
                                      : rekey_to_new_key(settings, new_key_text, data_dir, force);
    fmt::print("{} values are encrypted with the {} key, {} of them by this run\n", totals.values,
               to_master_key ? "master" : "new", totals.sealed);
    if (to_master_key)
        fmt::print(
            "nothing needs the other keys any more: restart every posthorn process without "
            "POSTHORN_OTHER_MASTER_KEYS\n");
    else if (key_in_file)
        fmt::print("the data directory has the new key; the old one is kept beside it, for backups, as {}\n",
                   old_key_name);
    else
        fmt::print("start every posthorn process with POSTHORN_MASTER_KEY set to the new key\n");
    return exit_ok;
}

}  // namespace posthorn::cli
