#pragma once

namespace posthorn::cli {

int run_serve(int argc, char** argv);

}  // namespace posthorn::cli
