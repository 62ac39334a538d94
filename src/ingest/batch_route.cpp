#include "ingest/batch_route.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <set>

#include "ingest/decode.hpp"
#include "ingest/limits.hpp"
#include "ingest/submission.hpp"

namespace posthorn::ingest {

using boost::asio::awaitable;

namespace {

// What a batch's message got: {"status": ..., "message": {...}}, or {"status": ..., "error": as if it had
// been sent alone}.
std::string verdict_text(int status, std::string_view name, std::string_view content) {
    return fmt::format(R"({{"status":{},"{}":{}}})", status, name, content);
}
std::string verdict_text(const http::Response& failure) {
    return verdict_text(failure.status, "error", failure.body);
}

enum class BatchMode { each, all };

BatchMode read_mode(const http::Request& request) {
    const auto value = request.query_value("mode");
    if (!value || value->empty() || *value == "each") return BatchMode::each;
    if (*value == "all") return BatchMode::all;
    throw http::ValidationProblem{{{{"query", "mode"}, "must be one of: each, all", "value_error.enum"}}};
}

struct Item {
    std::size_t place;
    Location at;
    std::string answer;  // how it begins
    store::NewMessage message;
    std::vector<FieldProblem> problems;  // with its event type's schema
};

struct Batch {
    std::vector<std::string> verdicts;  // by place; empty while it is open
    std::vector<Item> open;             // the messages without a verdict
    std::size_t unknown_application = 0;
    std::size_t submitted = 0;
};

Batch decode_batch(const http::Request& request, OrganizationId organization, BatchMode mode,
                   SystemTime now) {
    const bool with_content = read_with_content(request);
    const auto application = read_application(request);
    const auto items = split_batch(request.body);
    Batch batch;
    batch.verdicts.resize(items.size());
    http::ValidationProblem invalid;
    for (std::size_t i = 0; i < items.size(); ++i) {
        try {
            auto message = make_message(organization, application,
                                        decode_message(items[i].body, nullptr, now, items[i].at));
            auto answer = beginning_of_answer(message, with_content);
            batch.open.push_back({i, items[i].at, std::move(answer), std::move(message), {}});
        } catch (const http::ValidationProblem& problem) {
            batch.verdicts[i] = verdict_text(http::to_response(problem));
            invalid.problems.insert(invalid.problems.end(), problem.problems.begin(), problem.problems.end());
        }
    }
    if (mode == BatchMode::all && !invalid.problems.empty()) throw invalid;
    return batch;
}

awaitable<void> refresh_schemas(const RouteContext& context, const Batch& batch) {
    std::set<std::string> event_types;
    for (const auto& item : batch.open) event_types.insert(item.message.event_type);
    if (!event_types.empty())
        co_await context.schemas.refresh(context.pool, batch.open.front().message.organization, event_types);
}

void note_verdict(Batch& batch, const Item& item, const Answer& answer) {
    auto& verdict = batch.verdicts[item.place];
    ++batch.submitted;
    if (const auto* accepted = std::get_if<Accepted>(&answer)) {
        verdict = verdict_text(202, "message", item.answer + end_of_answer(*accepted));
        return;
    }
    const auto refusal = std::get<Refusal>(answer);
    if (refusal == Refusal::unknown_application) ++batch.unknown_application;
    verdict = verdict_text(http::to_response(to_problem(refusal)));
}

// Submits those that `which` picks. Those whose schema has changed stay open.
template <class Which>
awaitable<void> submit(const RouteContext& context, Batch& batch, Which which) {
    std::vector<Item> chosen;
    std::vector<store::NewMessage> messages;
    for (auto& item : std::exchange(batch.open, {})) {
        if (which(item)) messages.push_back(item.message);
        (which(item) ? chosen : batch.open).push_back(std::move(item));
    }
    const auto answers = co_await context.batcher.submit_all(std::move(messages));
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i] == Answer(Refusal::schema_changed))
            batch.open.push_back(std::move(chosen[i]));
        else
            note_verdict(batch, chosen[i], answers[i]);
    }
}

// Holds the open messages to their event types' schemas. Who breaks one may repeat an earlier message that
// was accepted under another; else its verdict is made, or thrown for all.
awaitable<void> hold_to_schemas(const RouteContext& context, Batch& batch, BatchMode mode) {
    for (auto& item : batch.open)
        item.problems = co_await hold_to_schema(context.schemas, context.pool, item.message, item.at);
    co_await submit(context, batch,
                    [](const Item& item) { return !item.problems.empty() && has_key(item.message); });
    http::ValidationProblem invalid;
    std::erase_if(batch.open, [&](const Item& item) {
        if (item.problems.empty()) return false;
        batch.verdicts[item.place] = verdict_text(http::to_response(http::ValidationProblem{item.problems}));
        invalid.problems.insert(invalid.problems.end(), item.problems.begin(), item.problems.end());
        return true;
    });
    if (mode == BatchMode::all && !invalid.problems.empty()) throw invalid;
}

}  // namespace

awaitable<http::Response> create_messages(const RouteContext& context, http::Request& request) {
    const auto organization = co_await context.authenticate(request);
    auto mode = read_mode(request);
    auto batch = decode_batch(request, organization, mode, context.clock.system_now());
    for (int round = 0; round < limits::schema_rounds && !batch.open.empty(); ++round) {
        if (round > 0 || mode == BatchMode::all) co_await refresh_schemas(context, batch);
        co_await hold_to_schemas(context, batch, mode);
        co_await submit(context, batch, [](const Item&) { return true; });
        mode = BatchMode::each;  // some may be stored now
    }
    for (const auto& item : batch.open) note_verdict(batch, item, Refusal::schema_changed);
    if (batch.unknown_application > 0 && batch.unknown_application == batch.submitted) throw not_found();
    http::Response response;
    response.status = 202;
    response.body = fmt::format(R"({{"data":[{}]}})", fmt::join(batch.verdicts, ","));
    co_return response;
}

}  // namespace posthorn::ingest
