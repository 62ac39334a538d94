#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "http/input_buffer.hpp"
#include "http/request_parser.hpp"
#include "http/server.hpp"

namespace posthorn::http {

// What all connections of a server share; outlives them by shared ownership.
struct Service {
    ServerOptions options;
    std::shared_ptr<const Router> router;
};

// One client's connection: a loop of reading what is there, running the complete requests in it (up to 16
// pipelined ones at once) and sending their answers, in order and as far as possible in one write.
//
// Everything runs on the server's executor. There is no timer a connection: it has one deadline at most at
// any time, which the server's sweep compares to the clock.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(boost::asio::ip::tcp::socket socket, const boost::asio::ip::tcp::endpoint& peer,
               std::shared_ptr<const Service> service);

    // Ends when the connection has ended and all its handlers have. Throws what a handler throws on
    // cancellation.
    static boost::asio::awaitable<void> serve(std::shared_ptr<Connection> self);
    // Where serve() must listen for cancellation, so that cut() reaches its handlers.
    boost::asio::cancellation_slot cancellation_slot() { return cancellation_.slot(); }

    void expire(SteadyTime now);  // called by the sweep
    // Since when a connection on which nothing is under way has been so; none for another.
    std::optional<SteadyTime> idle_since() const;
    void end_if_idle();
    std::size_t unfinished_body_bytes() const { return parser_.unfinished_body_bytes(); }
    void refuse(Problem problem);  // the request whose body is still arriving; the connection ends
    void begin_stop();             // an idle connection ends now, another one after the answers it owes
    void cut();                    // ends at once; running handlers are cancelled
    bool was_cut() const { return cut_; }

private:
    struct Exchange {
        Request request;
        Response response;
        SteadyTime started;
        std::size_t bytes_in = 0;
        bool keep_alive = true;
        bool done = false;
        std::exception_ptr failure;
        std::unique_ptr<boost::asio::cancellation_signal> cancellation;  // of a pipelined one
    };
    using Phase = RequestParser::Phase;

    boost::asio::awaitable<void> run();
    boost::asio::awaitable<bool> read_batch();
    void parse_buffered();
    boost::asio::awaitable<bool> read_more();
    boost::asio::awaitable<bool> receive();

    boost::asio::awaitable<void> answer_batch();
    boost::asio::awaitable<void> run_batch();
    void start(Exchange& exchange);
    boost::asio::awaitable<void> join(Exchange& exchange);
    void append_answer(const Exchange& exchange, bool closes);
    void append_refusal();

    bool flush_now();
    boost::asio::awaitable<void> flush_rest();
    boost::asio::awaitable<void> close();
    boost::asio::awaitable<void> drain();

    void arm(Duration timeout);
    void disarm() { deadline_ = SteadyTime::max(); }

    boost::asio::ip::tcp::socket socket_;
    std::string peer_;
    std::shared_ptr<const Service> service_;
    InputBuffer input_;
    RequestParser parser_;
    std::vector<Exchange> batch_;     // read and not yet answered; unchanged while handlers run
    std::optional<Problem> refusal_;  // why nothing more is read; answered after the batch
    boost::asio::steady_timer exchange_done_;
    boost::asio::cancellation_signal cancellation_;

    std::string output_;
    std::size_t sent_ = 0;  // of output_

    SteadyTime deadline_ = SteadyTime::max();
    std::optional<Phase> waiting_in_;  // the phase that the deadline was set for
    bool timed_out_ = false;
    bool stopping_ = false;
    bool cut_ = false;
    bool broken_ = false;   // writing failed: nothing more is sent
    bool closing_ = false;  // the last answer said so
};

}  // namespace posthorn::http
