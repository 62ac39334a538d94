#include "cli/replay_progress.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace posthorn::cli {

namespace json = boost::json;

namespace {
ReplayProgress progress_in(const json::value& job) {
    ReplayProgress progress{text_field(job, "id"), text_field(job, "status"), 0};
    if (const auto* replayed = job.as_object().if_contains("replayed"); replayed && replayed->is_number())
        progress.replayed = replayed->to_number<std::int64_t>();
    return progress;
}
}  // namespace

ReplayProgress start_replay(ApiSession& api, const std::string& path, const json::object& filter) {
    return progress_in(api.expect("POST", path, json::serialize(filter)));
}

ReplayProgress read_replay(ApiSession& api, const std::string& id) {
    return progress_in(api.expect("GET", "/api/v1/replay/" + encoded(id)));
}

}  // namespace posthorn::cli
