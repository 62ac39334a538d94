#include "base/secret.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <ostream>
#include <type_traits>

#include "support/catch.hpp"

using namespace posthorn;

namespace {
template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };
}  // namespace

TEST_CASE("a secret can be neither printed nor formatted nor turned into a string unawares") {
    STATIC_REQUIRE_FALSE(Streamable<Secret>);
    STATIC_REQUIRE_FALSE(fmt::is_formattable<Secret>::value);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<std::string, Secret>);
}

TEST_CASE("a secret is copied, moved and replaced like a value") {
    Secret first(std::string("a key that is longer than a small string"));
    const Secret copy = first;
    CHECK(copy.reveal() == first.reveal());
    Secret moved = std::move(first);
    CHECK(moved.reveal() == copy.reveal());
    moved = Secret("short");
    CHECK(moved.reveal() == "short");
    moved = Secret();
    CHECK(moved.empty());
}

TEST_CASE("a secret that was moved from is empty, however short it was") {
    Secret from("short");
    const Secret to = std::move(from);
    CHECK(from.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
    CHECK(to.reveal() == "short");
}
