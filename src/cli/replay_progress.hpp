#pragma once
#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "cli/api_session.hpp"

namespace posthorn::cli {

// A replay as the API shows it.
struct ReplayProgress {
    std::string id;
    std::string status;  // "running", "finished", "cancelled"
    std::int64_t replayed = 0;

    bool running() const { return status == "running"; }
};

// `path` is ".../dead-letter/replay"; what matches the filter, and is a dead letter now, is queued once more.
ReplayProgress start_replay(ApiSession& api, const std::string& path, const boost::json::object& filter);
ReplayProgress read_replay(ApiSession& api, const std::string& id);

}  // namespace posthorn::cli
