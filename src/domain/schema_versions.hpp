#pragma once
#include <boost/json/object.hpp>
#include <optional>
#include <string>

namespace posthorn::domain {

// The schema with the highest number of an event type's {"1": {...}, "2": {...}}: the one that is enforced.
struct SchemaVersion {
    std::string version;
    const boost::json::object* schema = nullptr;  // belongs to the versions
};
// Nothing where there is none, or where a version is no number from 1 to 999,999,999, so that it is not
// clear.
std::optional<SchemaVersion> newest_schema(const boost::json::object& versions);

}  // namespace posthorn::domain
