#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "base/id.hpp"
#include "config/settings.hpp"

namespace posthorn::cli {

// A token signed with the settings' JWT secret, or with the one that a service generated into the data
// directory. Throws CommandFailed, saying where a secret can come from, when there is none.
std::string make_client_token(config::Settings settings, OrganizationId organization,
                              std::optional<ApplicationId> application, std::chrono::seconds lifetime);

}  // namespace posthorn::cli
