#include "store/rekey.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/database_of_command.hpp"
#include "cli/generated_secrets.hpp"
#include "cli/new_master_key.hpp"
#include "cli/run_commands.hpp"
#include "cli/settings_from_command_line.hpp"
#include "store/lease.hpp"
#include "store/migrations.hpp"

namespace posthorn::cli {

using boost::asio::awaitable;

namespace {
constexpr auto watch_time = 3 * store::renewal_interval;

struct Totals {
    std::int64_t sealed = 0;  // under the new key, by this run
    std::int64_t values = 0;  // there are
};

// A running process moves its counter every second; rows of killed ones stand still.
awaitable<int> count_running_processes(store::Connection& connection) {
    const auto before = co_await store::read_processes(connection);
    if (before.empty()) co_return 0;
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, watch_time);
    co_await timer.async_wait(boost::asio::use_awaitable);
    int running = 0;
    for (const auto& process : co_await store::read_processes(connection)) {
        const auto same = std::find_if(before.begin(), before.end(),
                                       [&](const store::ProcessRow& row) { return row.id == process.id; });
        if (same == before.end() || same->counter != process.counter) ++running;
    }
    co_return running;
}

awaitable<Totals> rekey_once(store::Connection& connection, const domain::SecretBox& old_box,
                             const domain::SecretBox& new_box) {
    Totals totals;
    for (const auto kind : {store::SealedKind::endpoint_secrets, store::SealedKind::endpoint_headers}) {
        store::RekeyBatch batch;
        while (!batch.done) {
            batch = co_await store::rekey_batch(connection, kind, old_box, new_box, batch.last);
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
    if (const int running = force ? 0 : co_await count_running_processes(connection); running > 0)
        throw CommandFailed(
            fmt::format("{} posthorn process{} running on this database with the old key", running,
                        running == 1 ? " is" : "es are"),
            "Stop them first. With --force they go on, but can deliver nothing whose secret they read "
            "anew until they are restarted with the new key.");
    // Again, until nothing is found: a service that runs on beside it seals with the old key.
    Totals totals = co_await rekey_once(connection, old_box, new_box);
    for (auto last = totals; last.sealed > 0;) {
        last = co_await rekey_once(connection, old_box, new_box);
        totals = {totals.sealed + last.sealed, last.values};
    }
    co_return totals;
}
}  // namespace

int run_rekey(int argc, char** argv) {
    const auto app =
        make_app("rekey", "Encrypts every endpoint's secrets and headers with a new master key.",
                 "The old key is POSTHORN_MASTER_KEY or the data directory's; the new one is "
                 "POSTHORN_NEW_MASTER_KEY or, for the data directory, a generated one. Interrupted, it is "
                 "run again with the same keys. Backups from before still need the old key.");
    std::string new_key_text;
    bool force = false;
    // No flag of its own: other users can see flags.
    app->add_option("--new-master-key", new_key_text)->envname("POSTHORN_NEW_MASTER_KEY")->group("");
    app->add_flag("--force", force, "although services are running");
    const SettingsFlags settings_flags(*app, {"database_url", "data_dir"});
    if (const auto status = parse_arguments(*app, argc, argv)) return *status;

    auto settings = settings_flags.settings();
    const bool key_in_file = settings.embedded() && settings.master_key.empty();
    complete_secrets(settings, {.jwt_secret = false, .master_key = true, .make_missing = false});
    Totals totals;
    {
        DatabaseOfCommand database(settings);  // holds the data directory: nobody else makes a key meanwhile
        const NewMasterKey key(new_key_text, key_in_file ? std::optional(settings.data_dir) : std::nullopt);
        const domain::SecretBox old_box(settings.master_key), new_box(key.secret());
        totals = database.run<Totals>(
            [&](store::Connection& connection) { return rekey(connection, old_box, new_box, force); });
        key.put_in_place();
    }
    fmt::print("{} values are encrypted with the new key, {} of them by this run\n", totals.values,
               totals.sealed);
    if (key_in_file)
        fmt::print("the data directory has the new key; the old one is kept beside it, for backups, as {}\n",
                   old_key_name);
    else
        fmt::print("start every posthorn process with POSTHORN_MASTER_KEY set to the new key\n");
    return exit_ok;
}

}  // namespace posthorn::cli
