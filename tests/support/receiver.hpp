#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/webhook_receiver.hpp"
#include "domain/signature.hpp"

namespace posthorn::test {

struct Received {
    std::string method, path, body;
    std::string id, timestamp, signature;  // webhook-*; empty if they were missing
    http::Fields fields;
    SteadyTime at;  // when it had been read
};

struct Answer {
    int status = 200;
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> fields = {};
    std::chrono::milliseconds delay{0};
};

// A subscriber on loopback, over real HTTP, in a thread of its own: answers as told and keeps every request.
// Safe to use from any thread.
class Receiver {
public:
    explicit Receiver(Answer always = {});
    ~Receiver();

    std::string url(std::string_view path = "/hook") const { return server_->url(path); }
    std::uint16_t port() const { return server_->port(); }

    void answer_always(Answer answer);              // from now on
    void answer_next(std::vector<Answer> answers);  // the next ones, in order, before anything else
    void answer_by(std::function<Answer(const Received&)> rule);  // called in the receiver's thread
    // From now on requests are read and kept, but answered only after release().
    void hold();
    void release();

    std::vector<Received> received() const;
    std::size_t count() const;
    // Forgets what was received.
    void clear();
    // True when so many requests have come; false at the limit.
    bool wait_for(std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(30)) const;
    bool wait_until(const std::function<bool(const std::vector<Received>&)>& condition,
                    std::chrono::milliseconds limit = std::chrono::seconds(30)) const;

private:
    boost::asio::awaitable<http::Response> answer(http::Request& request);
    Answer choose_answer(const Received& request);

    mutable std::mutex mutex_;
    mutable std::condition_variable arrived_;
    std::vector<Received> received_;
    std::deque<Answer> next_;
    std::function<Answer(const Received&)> rule_;
    bool held_ = false;
    std::unique_ptr<cli::WebhookReceiver> server_;
};

// As a subscriber checks it, with a tolerance of 5 minutes.
domain::Verification verify(const Received& request, std::string_view secret);

}  // namespace posthorn::test
