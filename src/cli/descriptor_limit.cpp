#include "cli/descriptor_limit.hpp"

#include <sys/resource.h>

namespace posthorn::cli {

std::optional<std::size_t> raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
    return limit.rlim_cur;
}

}  // namespace posthorn::cli
