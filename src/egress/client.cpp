#include "egress/client.hpp"

#include <algorithm>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "egress/curl_loop.hpp"
#include "egress/lazy_timer.hpp"
#include "egress/name_pins.hpp"
#include "egress/name_resolver.hpp"
#include "egress/transfer.hpp"

namespace posthorn::egress {

namespace asio = boost::asio;

// A request is a Transfer from start to finish: first it waits for its name (resolving), then curl has it
// (under_way). Whatever ends it (curl, an alarm, close, cancellation) goes through finish, which posts the
// completion: the awaiting coroutine never runs inside curl or inside a loop over the live transfers.
struct Client::Impl {
    Impl(asio::any_io_executor used_executor, ClientOptions used_options,
         std::shared_ptr<const AddressGuard> used_guard)
        : executor(std::move(used_executor)),
          options(std::move(used_options)),
          guard(std::move(used_guard)),
          resolver(executor, options.name_servers),
          loop(executor, options.connection_cache, options.receive_limit_bytes,
               [this](CURL* handle, CURLcode code) { on_ended(handle, code); }),
          alarms_timer(executor, [this] { ring_alarms(); }) {}

    void start(Request request, Transfer::Handler handler);
    void cancel_with(Transfer& transfer);
    void look_up(Transfer& transfer);
    void connect(Transfer& transfer, const NameAnswer* answer);
    void close(std::uint64_t group);

    void on_ended(CURL* handle, CURLcode code);
    void finish(Transfer& transfer, Ending ending, boost::system::error_code error = {});
    void leave(Transfer& transfer, bool with_bytes_unsent);

    Transfer& new_transfer();
    void set_alarm(Transfer& transfer);
    void ring_alarms();
    void ring(Transfer& transfer, SteadyTime now);

    asio::any_io_executor executor;
    ClientOptions options;
    std::shared_ptr<const AddressGuard> guard;
    NameResolver resolver;
    NamePins pins;
    CurlLoop loop;  // before the transfers: their handles end first
    std::vector<std::unique_ptr<Transfer>> live, spare;
    std::multimap<SteadyTime, Transfer*> alarms;  // one for each live transfer
    LazyTimer alarms_timer;
    std::uint64_t last_id = 0;
    std::shared_ptr<const bool> alive =
        std::make_shared<const bool>(true);  // slots may be used after the client
};

void Client::Impl::start(Request request, Transfer::Handler handler) {
    auto& transfer = new_transfer();
    transfer.id = ++last_id;
    transfer.started = std::chrono::steady_clock::now();
    transfer.deadline = transfer.started + request.timeout;
    transfer.handler.emplace(std::move(handler));
    transfer.stage = Transfer::Stage::resolving;
    const bool usable = transfer.take(std::move(request));
    set_alarm(transfer);
    if (!usable) return finish(transfer, {Failure::protocol, transfer.refusal()});
    cancel_with(transfer);
    look_up(transfer);
}

void Client::Impl::cancel_with(Transfer& transfer) {
    auto slot = asio::get_associated_cancellation_slot(*transfer.handler);
    if (!slot.is_connected()) return;
    slot.assign([this, weak = std::weak_ptr(alive), id = transfer.id, &transfer](asio::cancellation_type) {
        if (weak.expired() || transfer.id != id) return;
        finish(transfer, {}, asio::error::operation_aborted);
    });
}

void Client::Impl::look_up(Transfer& transfer) {
    const auto& url = transfer.url();
    if (url.literal) {
        if (guard->allows(*url.literal)) return connect(transfer, nullptr);
        return finish(transfer, {Failure::address_refused, "the address " + url.host + " is not allowed"});
    }
    if (const auto known = resolver.cached(url.host)) return connect(transfer, known.get());
    transfer.lookup = resolver.look_up(url.host, [this, &transfer](const NameAnswerPtr& answer) {
        transfer.lookup = 0;
        connect(transfer, answer.get());
    });
}

// answer: null if the URL's host is an address.
void Client::Impl::connect(Transfer& transfer, const NameAnswer* answer) {
    static const std::vector<asio::ip::address> none;
    const auto& host = transfer.url().host;
    const auto& addresses = answer != nullptr ? answer->addresses : none;
    if (answer != nullptr && addresses.empty())
        return finish(transfer, {Failure::name_unresolved, host + ": " + answer->error});
    if (!std::all_of(addresses.begin(), addresses.end(), [&](const auto& a) { return guard->allows(a); }))
        return finish(transfer, {Failure::address_refused, "an address of " + host + " is not allowed"});
    if (answer != nullptr) {
        transfer.pinned = true;
        pins.hold(transfer.pin_name());
    }
    try {
        transfer.prepare(addresses, pins.take_stale(), options.connect_timeout);
        loop.add(transfer.handle());
    } catch (const std::exception& error) {  // libcurl has no memory left, or lacks what was asked of it
        return finish(transfer, {Failure::protocol, error.what()});
    }
    transfer.stage = Transfer::Stage::under_way;
    alarms.erase(transfer.alarm);
    set_alarm(transfer);
}

void Client::Impl::on_ended(CURL* handle, CURLcode code) {
    char* self = nullptr;
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &self);
    // NOLINTNEXTLINE(bugprone-casting-through-void): curl's private pointer is declared as char*
    auto& transfer = *static_cast<Transfer*>(static_cast<void*>(self));
    finish(transfer, transfer.ending(code));
}

void Client::Impl::close(std::uint64_t group) {
    std::vector<Transfer*> cut;
    for (const auto& transfer : live) {
        if (transfer->request().group != group) continue;
        transfer->forbid_sending();  // a second time
        if (!transfer->is_last_byte_sent()) cut.push_back(transfer.get());
    }
    for (auto* transfer : cut) {
        if (transfer->is_first_byte_sent())
            finish(*transfer, {Failure::aborted, "cut off while it was being sent"});
        else
            finish(*transfer, {Failure::not_started, "closed before it was sent"});
    }
}

void Client::Impl::finish(Transfer& transfer, Ending ending, boost::system::error_code error) {
    auto result = transfer.result(std::move(ending));
    leave(transfer, result.failure == Failure::aborted || error.failed());
    asio::post(executor, [handler = std::move(*transfer.handler), result = std::move(result),
                          error]() mutable { std::move(handler)(error, std::move(result)); });
    transfer.drop();
    auto& place = live[transfer.position];
    spare.push_back(std::move(place));
    if (&place != &live.back()) {
        place = std::move(live.back());
        place->position = spare.back()->position;
    }
    live.pop_back();
    if (live.empty()) alarms_timer.stop();
}

// Out of curl, the resolver and the alarms.
void Client::Impl::leave(Transfer& transfer, bool with_bytes_unsent) {
    alarms.erase(transfer.alarm);
    if (transfer.lookup != 0) resolver.forget(std::exchange(transfer.lookup, 0));
    if (transfer.pinned) pins.release(transfer.pin_name());
    if (transfer.stage == Transfer::Stage::under_way) {
        if (with_bytes_unsent)
            loop.cut(transfer.handle());
        else
            loop.remove(transfer.handle());
    }
    // curl may not have come to them, if the transfer was ended from outside.
    pins.add_stale(transfer.take_stale_pins());
}

Transfer& Client::Impl::new_transfer() {
    if (spare.empty()) spare.push_back(std::make_unique<Transfer>(options, *guard, loop));
    live.push_back(std::move(spare.back()));
    spare.pop_back();
    live.back()->position = live.size() - 1;
    return *live.back();
}

void Client::Impl::set_alarm(Transfer& transfer) {
    auto due = transfer.deadline;
    if (transfer.stage == Transfer::Stage::under_way && !transfer.is_first_byte_sent())
        due = std::min(due, std::chrono::steady_clock::now() + options.connect_timeout);
    transfer.alarm = alarms.emplace(due, &transfer);
    alarms_timer.set(alarms.begin()->first);
}

void Client::Impl::ring_alarms() {
    const auto now = std::chrono::steady_clock::now();
    while (!alarms.empty() && alarms.begin()->first <= now) ring(*alarms.begin()->second, now);
    if (!alarms.empty()) alarms_timer.set(alarms.begin()->first);
}

void Client::Impl::ring(Transfer& transfer, SteadyTime now) {
    using std::chrono::duration_cast, std::chrono::milliseconds;
    const auto text = [](auto limit) {
        return std::to_string(duration_cast<milliseconds>(limit).count()) + " ms";
    };
    const auto limit = transfer.request().timeout;
    if (transfer.stage == Transfer::Stage::resolving)
        return finish(transfer, {Failure::timeout, "the name was not resolved within " + text(limit)});
    if (transfer.is_first_byte_sent() && now < transfer.deadline) {  // the limit of connecting, long passed
        alarms.erase(transfer.alarm);
        return set_alarm(transfer);
    }
    if (!transfer.is_first_byte_sent())
        return finish(transfer, {Failure::timeout,
                                 "no connection within " + text(std::min(limit, options.connect_timeout))});
    finish(transfer, {Failure::timeout, "no complete answer within " + text(limit)});
}

Client::Client(asio::any_io_executor executor, ClientOptions options,
               std::shared_ptr<const AddressGuard> guard)
    : impl_(std::make_unique<Impl>(std::move(executor), std::move(options), std::move(guard))) {}

Client::~Client() = default;

asio::awaitable<Result> Client::post(Request request) {
    auto initiate = [impl = impl_.get()](auto handler, Request taken) {
        impl->start(std::move(taken), std::move(handler));
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>,
                                            void(boost::system::error_code, Result)>(
        initiate, asio::use_awaitable, std::move(request));
}

void Client::close(std::uint64_t group) { impl_->close(group); }

std::size_t Client::in_flight() const { return impl_->live.size(); }

}  // namespace posthorn::egress
