#include "domain/secret_box.hpp"

#include <stdexcept>

#include "support/catch.hpp"

using namespace posthorn;
using namespace posthorn::domain;
using namespace std::chrono_literals;

namespace {
const SystemTime some_time{1'764'000'000s};
Secret master_key(char c) { return Secret(std::string(32, c)); }
}  // namespace

TEST_CASE("what was sealed for an endpoint opens for it alone") {
    const SecretBox box(master_key('a'));
    const EndpointId endpoint = EndpointId::make(some_time), other = EndpointId::make(some_time);
    const std::string sealed = box.seal(endpoint, "whsec_x");
    CHECK(sealed.find("whsec_x") == std::string::npos);
    CHECK(box.open(endpoint, sealed).reveal() == "whsec_x");
    CHECK_THROWS_AS(box.open(other, sealed), std::runtime_error);
    CHECK_THROWS_AS(SecretBox(master_key('b')).open(endpoint, sealed), std::runtime_error);
    CHECK_THROWS_AS(box.open(endpoint, ""), std::runtime_error);
}

TEST_CASE("a master key has 32 bytes") {
    CHECK_THROWS_AS(SecretBox(Secret(std::string(31, 'a'))), std::invalid_argument);
    CHECK_THROWS_AS(SecretBox(Secret()), std::invalid_argument);
}
