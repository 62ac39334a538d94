#include "support/child_process.hpp"

#include <stdexcept>

namespace posthorn::test {

Finished run_program(ChildProcess::Options options, std::chrono::milliseconds limit) {
    options.stop_limit = std::chrono::seconds(5);
    ChildProcess child(std::move(options));
    const auto status = child.wait(limit);
    if (!status)
        throw std::runtime_error("the program did not end within its time: " + child.output() +
                                 child.errors());
    return {*status, child.output(), child.errors()};
}

}  // namespace posthorn::test
