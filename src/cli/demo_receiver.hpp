#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/webhook_receiver.hpp"

namespace posthorn::cli {

// A subscriber of the demo: checks every webhook, fails those that its rule says, and remembers all of them.
class DemoReceiver {
public:
    // Called in the receiver's thread; `nth` is 1 at the first request of a message.
    using Fails = std::function<bool(const std::string& body, int nth)>;
    DemoReceiver(std::string secret, Fails fails);

    std::string url() const { return server_->url("/webhooks"); }

    struct OfMessage {
        int requests = 0;
        int succeeded = 0;  // answered with 200
        std::string body;
        bool same_body = true;  // every request had it
    };
    struct Seen {
        std::map<std::string, OfMessage> messages;  // by webhook-id
        int requests = 0;
        int invalid_signatures = 0;

        int succeeded_messages() const;
        int duplicates() const;  // requests after one that succeeded
    };
    Seen seen() const;

private:
    http::Response answer(const http::Request& request);

    std::string secret_;
    Fails fails_;
    mutable std::mutex mutex_;
    Seen seen_;
    std::unique_ptr<WebhookReceiver> server_;
};

}  // namespace posthorn::cli
