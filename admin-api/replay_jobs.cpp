#include "admin-api/replay_jobs.hpp"

#include <boost/json.hpp>
#include <stdexcept>

#include "admin-api/fields.hpp"
#include "base/timestamp.hpp"

namespace posthorn::admin {

namespace json = boost::json;

namespace {

json::value time_or_null(std::optional<SystemTime> time) {
    return time ? json::value(json::string(format_timestamp(*time))) : json::value(nullptr);
}
template <class IdType>
json::value id_or_null(const std::optional<IdType>& id) {
    return id ? json::value(json::string(id->str())) : json::value(nullptr);
}

}  // namespace

std::string_view task_word(store::ReplayKind kind) {
    switch (kind) {
        case store::ReplayKind::recover:
            return "endpoint.recover";
        case store::ReplayKind::missing:
            return "endpoint.replay";
        case store::ReplayKind::all:
            return "endpoint.bulk_replay";
        case store::ReplayKind::dead_letters:
            return "dead-letter.replay";
    }
    throw std::logic_error("a replay has an unknown kind");
}

std::string_view task_status(store::ReplayState state) {
    return state == store::ReplayState::cancelled ? "failed" : store::to_string(state);
}

json::object to_json(const store::ReplayJobRow& job) {
    json::object object{{"id", job.id.str()},
                        {"kind", task_word(job.kind)},
                        {"status", store::to_string(job.state)},
                        {"appId", id_or_null(job.application)},
                        {"endpointId", id_or_null(job.endpoint)},
                        {"eventTypes", or_null(job.event_types)},
                        {"channel", or_null(job.messages.channel)},
                        {"tag", or_null(job.messages.tag)},
                        {"messageStatus", nullptr},
                        {"reason", nullptr},
                        {"after", time_or_null(job.after)},
                        {"before", time_or_null(job.before)},
                        {"rateLimit", nullptr},
                        {"replayed", job.replayed},
                        {"createdAt", format_timestamp(job.created_at)},
                        {"updatedAt", format_timestamp(job.updated_at)}};
    if (job.messages.status) object["messageStatus"] = static_cast<int>(*job.messages.status);
    if (job.reason) object["reason"] = domain::to_string(*job.reason);
    if (job.rate_limit > 0) object["rateLimit"] = job.rate_limit;
    return object;
}

json::object task_json(const store::ReplayJobRow& job) {
    return {{"id", job.id.str()}, {"status", task_status(job.state)}, {"task", task_word(job.kind)}};
}

}  // namespace posthorn::admin
