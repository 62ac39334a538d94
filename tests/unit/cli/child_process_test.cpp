#include "support/child_process.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "support/catch.hpp"

using posthorn::test::run_program;

TEST_CASE("a child has no descriptor of its parent, also none that would stay open at exec") {
    const int inherited = dup(STDERR_FILENO);  // without FD_CLOEXEC
    REQUIRE(inherited > STDERR_FILENO);
    const auto look = fmt::format("[ -e /proc/self/fd/{} ] && echo open || echo closed", inherited);
    posthorn::test::ChildProcess::Options options;
    options.program = "/bin/sh";
    options.arguments = {"-c", look};
    const auto finished = run_program(options);
    close(inherited);
    CHECK(finished.status == 0);
    CHECK(finished.output == "closed\n");
}
