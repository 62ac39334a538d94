#pragma once
#include <chrono>
#include <string>

#include "domain/verdict.hpp"
#include "egress/client.hpp"
#include "workers/delivery.hpp"

namespace posthorn::workers {

struct AttemptOptions {
    std::chrono::milliseconds request_timeout{15'000};
    bool svix_headers = false;  // also send webhook-* as svix-*, for receivers that know only those
};

// Whether the endpoint's filter lets the payload through. What was asked for by hand goes through in any
// case, a payload that is not JSON in none.
bool is_wanted(const Start& start);

// The signed request of an attempt made at `wall`; may_start and group are the caller's.
egress::Request make_request(const Start& start, const AttemptOptions& options, SystemTime wall);

domain::Verdict judge_result(const egress::Result& result, SystemTime wall);

store::AttemptRecord make_record(const Start& start, const egress::Result& result,
                                 const domain::Verdict& verdict, SystemTime wall);

// What egress::Client::close needs to find an endpoint's requests.
std::uint64_t request_group(EndpointId endpoint);

}  // namespace posthorn::workers
