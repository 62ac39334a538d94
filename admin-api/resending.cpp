#include "admin-api/resending.hpp"

#include "admin-api/change.hpp"
#include "admin-api/problems.hpp"
#include "store/replay_job.hpp"
#include "store/wake_up.hpp"

namespace posthorn::admin {

using boost::asio::awaitable;

namespace {

void check(store::ResendOutcome outcome) {
    switch (outcome) {
        case store::ResendOutcome::queued:
            return;
        case store::ResendOutcome::endpoint_disabled:
            throw endpoint_disabled();
        case store::ResendOutcome::message_expunged:
            throw http::Problem{409, "message_expunged",
                                "the message's payload was deleted: it can not be sent again"};
        case store::ResendOutcome::endpoint_unknown:
        case store::ResendOutcome::message_unknown:
            throw not_found();
    }
}

}  // namespace

http::Problem endpoint_disabled() {
    return {409, "endpoint_disabled", "the endpoint is disabled: enable it first, then try again"};
}

awaitable<void> resend(Context& context, ApplicationId application, EndpointId endpoint,
                       std::function<awaitable<MessageId>(store::Connection&)> prepare) {
    const auto sent =
        co_await change(context, {}, [&](store::Connection& connection) -> awaitable<store::Resend> {
            const auto message = co_await prepare(connection);
            const auto result = co_await store::resend_message(connection, application, endpoint, message);
            check(result.outcome);
            co_return result;
        });
    auto connection = co_await context.pool.acquire();
    co_await store::notify_shards(*connection, {{sent.shard, endpoint}});
}

}  // namespace posthorn::admin
