// The official SDK works unchanged: the suite in tests/sdk drives it against a real server.
#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/places.hpp"
#include "support/service.hpp"

using namespace posthorn;

TEST_CASE("the official SDK drives every operation of the compatible API") {
    test::Service service;
    const auto run = test::run_program(
        {.program = "/usr/bin/env",
         .arguments = {"node", "--test", "--test-reporter=spec",
                       test::source_directory() / "tests/sdk/suite.test.mjs"},
         .environment = {{"POSTHORN_URL", service.url()}, {"POSTHORN_TOKEN", service.token()}},
         .input = {}});
    INFO(run.output << run.errors);
    CHECK(run.status == 0);
}
