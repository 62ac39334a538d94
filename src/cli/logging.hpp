#pragma once
#include "config/settings.hpp"

namespace posthorn::cli {

void set_up_logging(const config::Settings& settings);  // to standard error, level and format as set

}  // namespace posthorn::cli
