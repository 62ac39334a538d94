#pragma once
#include <map>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/places.hpp"

namespace posthorn::test {

// The real program with these arguments; its environment has no POSTHORN_* but those given.
inline ChildProcess::Options posthorn_options(std::vector<std::string> arguments,
                                              std::map<std::string, std::string> environment = {},
                                              std::string input = {}) {
    ChildProcess::Options options;
    options.program = posthorn_program();
    options.arguments = std::move(arguments);
    options.environment = std::move(environment);
    options.input = std::move(input);
    return options;
}

inline Finished run_posthorn(std::vector<std::string> arguments,
                             std::map<std::string, std::string> environment = {}, std::string input = {}) {
    return run_program(posthorn_options(std::move(arguments), std::move(environment), std::move(input)));
}

}  // namespace posthorn::test
