#include "fault/owners.hpp"

#include <libpq-fe.h>
#include <memory>

namespace posthorn::fault {

namespace {
constexpr std::chrono::milliseconds interval{100};
constexpr const char* question =
    "SELECT l.process_id, coalesce(max(p.host), '') FROM shard_lease l LEFT JOIN process p ON p.id = "
    "l.process_id WHERE l.process_id IS NOT NULL GROUP BY l.process_id";
using Session = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using Result = std::unique_ptr<PGresult, decltype(&PQclear)>;
}  // namespace

OwnerWatch::OwnerWatch(std::string conninfo)
    : conninfo_(std::move(conninfo)), thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
              look();
              std::this_thread::sleep_for(interval);
          }
      }) {}

OwnerWatch::~OwnerWatch() = default;

std::vector<Owner> OwnerWatch::owners() const {
    const std::lock_guard lock(mutex_);
    std::vector<Owner> all;
    for (const auto& [id, owner] : owners_) all.push_back(owner);
    return all;
}

// A session of its own each time: nothing is kept that a fault could break.
void OwnerWatch::look() {
    const Session session(PQconnectdb(conninfo_.c_str()), &PQfinish);
    const auto asked = std::chrono::steady_clock::now();
    const Result result(PQexec(session.get(), question), &PQclear);
    const std::lock_guard lock(mutex_);
    for (int row = 0; row < PQntuples(result.get()); ++row) {
        auto [at, fresh] = owners_.try_emplace(PQgetvalue(result.get(), row, 0));
        auto& owner = at->second;
        if (fresh) owner.first_seen = asked;
        if (owner.host.empty()) owner.host = PQgetvalue(result.get(), row, 1);
        owner.last_seen = asked;
    }
}

}  // namespace posthorn::fault
