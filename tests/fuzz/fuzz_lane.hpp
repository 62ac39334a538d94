#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "fuzz_request.hpp"
#include "fuzz_tally.hpp"
#include "support/test_client.hpp"

namespace posthorn::test {

struct FuzzRun {
    std::uint16_t port = 0;
    Receivers receivers;
    std::uint64_t seed = 0, count = 0;
    std::size_t lanes = 0;
    std::optional<std::uint64_t> only;  // its lane is run up to this number, which is shown
};

// Every lanes-th request of a run, one after the other over one connection, in an organization of its own:
// what one lane does changes nothing that another sees. Run by one thread.
class FuzzLane {
public:
    FuzzLane(const FuzzRun& run, const ApiDescription& description, FuzzTokens tokens, FuzzTally& tally)
        : run_(run), description_(description), tokens_(std::move(tokens)), tally_(tally) {}

    void run(std::size_t lane);

private:
    void prepare();
    void prepare_one(std::string_view method, const std::string& pattern, std::string body = {});
    void perform(const FuzzRequest& request, std::optional<std::uint64_t> number);
    http::test::Answer exchange(const FuzzRequest& request);
    void exchange_framed(const FuzzRequest& request);
    void check(const FuzzRequest& request, const http::test::Answer& answer);
    void learn(const FuzzRequest& request, const http::test::Answer& answer);
    void report(const FuzzRequest& request, std::optional<std::uint64_t> number, const std::string& what);

    const FuzzRun& run_;
    const ApiDescription& description_;
    const FuzzTokens tokens_;
    FuzzTally& tally_;
    KnownObjects known_;
    KnownObjects::Place prepared_;  // of what was made last
    int preparations_ = 0;
    std::optional<http::test::TestClient> client_;
    int status_ = 0;  // of the answer that came last; 0: none
};

}  // namespace posthorn::test
