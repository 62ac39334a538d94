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

TEST_CASE("while the master key is changed, other keys open and seal nothing") {
    const EndpointId endpoint = EndpointId::make(some_time), other = EndpointId::make(some_time);
    const SecretBox old_box(master_key('a')), new_box(master_key('b'));
    const SecretBox both(master_key('b'), {master_key('c'), master_key('a')});
    CHECK(both.open(endpoint, old_box.seal(endpoint, "x")).reveal() == "x");
    CHECK(both.open(endpoint, new_box.seal(endpoint, "x")).reveal() == "x");
    CHECK(new_box.open(endpoint, both.seal(endpoint, "x")).reveal() == "x");
    CHECK_THROWS_AS(both.open(other, old_box.seal(endpoint, "x")), std::runtime_error);
    CHECK_THROWS_AS(both.open(endpoint, SecretBox(master_key('d')).seal(endpoint, "x")), std::runtime_error);
}

TEST_CASE("a fingerprint is of the key that seals") {
    const SecretBox box(master_key('a'));
    CHECK(box.fingerprint().size() == 16);
    CHECK(box.fingerprint() == SecretBox(master_key('a'), {master_key('b')}).fingerprint());
    CHECK(box.fingerprint() != SecretBox(master_key('b'), {master_key('a')}).fingerprint());
}

TEST_CASE("a master key has 32 bytes") {
    CHECK_THROWS_AS(SecretBox(master_key('a'), {Secret("short")}), std::invalid_argument);
    CHECK_THROWS_AS(SecretBox(Secret(std::string(31, 'a'))), std::invalid_argument);
    CHECK_THROWS_AS(SecretBox(Secret()), std::invalid_argument);
}
