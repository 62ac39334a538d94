#pragma once
#include <string>

#include "http/router.hpp"
#include "ingest/answer.hpp"
#include "ingest/decode.hpp"
#include "store/accept.hpp"

// What a message sent alone and those of a batch have in common: from the request to the answer.
namespace posthorn::ingest {

http::Problem not_found();
http::Problem to_problem(Refusal refusal);

// The path's application. Throws http::Problem where none can have such a name.
store::ApplicationReference read_application(const http::Request& request);
// Whether the answer shows the payload. Throws http::ValidationProblem.
bool read_with_content(const http::Request& request);

store::NewMessage make_message(OrganizationId organization, store::ApplicationReference application,
                               DecodedMessage decoded);

// The answer, which can be made before the message is given away: all but the id and what follows from it,
// and that.
std::string beginning_of_answer(const store::NewMessage& message, bool with_content);
std::string end_of_answer(Accepted accepted);

}  // namespace posthorn::ingest
