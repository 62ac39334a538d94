#pragma once
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "admin-api/access.hpp"
#include "admin-api/applications.hpp"
#include "http/target.hpp"
#include "ingest/route.hpp"
#include "support/api_fixture.hpp"

namespace posthorn::test {

class NoHandOff final : public ingest::HandOff {
public:
    void announce(std::uint64_t, std::span<const MessageId>) override {}
    void committed(std::uint64_t, std::vector<ingest::HandedDelivery>) override {}
    void failed(std::uint64_t, bool) override {}
};

// The admin API together with ingest, which hands nothing over; an application "customer-1" is there.
struct IngestFixture : ApiFixture {
    explicit IngestFixture(ingest::BatcherOptions options = {}) {
        if (options.database.conninfo.empty()) options.database.conninfo = conninfo();
        batcher.emplace(io().get_executor(), std::move(options), clock, hand_off);
        ingest::add_routes(
            router(),
            {*batcher, clock, schemas, pool(),
             [this](const http::Request& request) -> boost::asio::awaitable<OrganizationId> {
                 co_return (co_await admin::authenticate(context(), request, {"message", true})).organization;
             },
             [this](const http::Request& request,
                    std::string_view description) -> boost::asio::awaitable<void> {
                 const auto principal =
                     co_await admin::authenticate(context(), request, {"application", true});
                 const auto value = boost::json::parse(description);
                 co_await admin::find_or_create_application(context(), principal, request,
                                                            &value.as_object());
             }});
        boost::asio::co_spawn(
            io(), batcher->run(),
            boost::asio::bind_cancellation_slot(cancel.slot(), [this](std::exception_ptr) { ended = true; }));
        application = make_application("customer-1");
    }
    ~IngestFixture() {
        cancel.emit(boost::asio::cancellation_type::all);
        while (!ended) io().run_one_for(std::chrono::seconds(1));
    }

    http::Request request(const std::string& body, std::optional<std::string> key = std::nullopt,
                          const std::string& query = "", const std::string& app = "customer-1") const {
        http::Request made;
        made.method = http::Method::post;
        http::parse_target("/api/v1/app/" + app + "/msg" + query, made);
        made.body = body;
        made.id = "test";
        made.fields.add("Authorization", "Bearer " + token_of(organization()));
        if (key) made.fields.add("idempotency-key", *key);
        return made;
    }
    http::Response send(http::Request made) { return dispatch(std::move(made)); }
    http::Response send(const std::string& body, std::optional<std::string> key = std::nullopt,
                        const std::string& query = "") {
        return send(request(body, std::move(key), query));
    }

    NoHandOff hand_off;
    ingest::EnforcedSchemas schemas;
    std::optional<ingest::MessageBatcher> batcher;
    boost::asio::cancellation_signal cancel;
    bool ended = false;
    std::string application;
};

}  // namespace posthorn::test
