#pragma once
#include <memory>
#include <string>

#include "config/settings.hpp"

namespace posthorn::cli {

// `posthorn serve`, assembled: the one place where all modules meet.
class Service {
public:
    // Starts everything, in order: PostgreSQL, schema, workers, ingest, HTTP. Throws what can not be started,
    // with a reason for people.
    explicit Service(config::Settings settings);
    ~Service();

    std::string address() const;  // "127.0.0.1:8071": where it listens

    // Until a signal (SIGTERM, SIGINT: must be blocked in every thread) or a part's failure; then stops
    // accepting, finishes what is in flight, flushes, releases. The process's exit code: 0 for a clean end.
    int run();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace posthorn::cli
