#include "cli/client_token.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "cli/command.hpp"
#include "cli/generated_secrets.hpp"
#include "config/resolve.hpp"
#include "domain/access_token.hpp"

namespace posthorn::cli {

std::string make_client_token(config::Settings settings, OrganizationId organization,
                              std::optional<ApplicationId> application, std::chrono::seconds lifetime) {
    try {
        complete_secrets(settings, {.jwt_secret = true, .master_key = false, .make_missing = false});
    } catch (const config::SettingsError&) {
        throw;
    } catch (const std::runtime_error& error) {
        throw CommandFailed(fmt::format("no token can be made: {}", error.what()),
                            "A service elsewhere has its secret in POSTHORN_JWT_SECRET; a token of it works "
                            "as well as the secret.");
    }
    return domain::make_access_token(settings.jwt_secret, organization, application, RealClock().system_now(),
                                     lifetime);
}

}  // namespace posthorn::cli
