#pragma once
#include <boost/json/object.hpp>
#include <string_view>

#include "store/replay_job.hpp"

// How replays are shown, by themselves and as background tasks.
namespace posthorn::admin {

std::string_view task_word(store::ReplayKind kind);  // the compatible API's, where it has one
// The compatible API's tasks are never cancelled; one that ended before its end counts as failed there.
std::string_view task_status(store::ReplayState state);

boost::json::object to_json(const store::ReplayJobRow& job);
boost::json::object task_json(const store::ReplayJobRow& job);  // {id, status, task}

}  // namespace posthorn::admin
