#pragma once
#include <string>
#include <utility>
#include <vector>

#include "api_operations.hpp"
#include "known_objects.hpp"
#include "schema_values.hpp"

namespace posthorn::test {

struct FuzzRequest {
    const ApiOperation* operation = nullptr;
    std::string method, target, body;
    std::vector<std::pair<std::string, std::string>> fields = {};
    KnownObjects::Place place = {};  // of the object that is meant; empty where the path was spoilt
    // What goes over the wire where that isn't what the above says: the connection ends with it.
    std::string framed = {};

    std::string bytes() const;
};

struct FuzzTokens {
    std::string organization, foreign;  // another organization's
};

// The request of that number: a function of seed and number, and of what is known for the ids in it.
FuzzRequest make_request(const ApiDescription& description, const KnownObjects& known,
                         const Receivers& receivers, const FuzzTokens& tokens, std::uint64_t seed,
                         std::uint64_t number);

}  // namespace posthorn::test
