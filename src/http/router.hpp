#pragma once
#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"

namespace posthorn::http {

// Takes the request for its whole run. Throws Problem or ValidationProblem for an answer that is not the
// usual one; anything else thrown is answered 500 (or 503 by a registered translator) and logged once.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

// Patterns are literal segments and {name} segments: "/api/v1/app/{app_id}/msg". A path matches with and
// without a trailing slash. An unknown path is 404, a known path with another method 405 with Allow; HEAD
// falls to GET.
class Router {
public:
    void add(Method method, std::string_view pattern, Handler handler);

    struct Route {
        Method method;
        std::string pattern;
        Handler handler;
    };
    const std::vector<Route>& routes() const { return routes_; }

    // Fills request.parameters. Throws Problem (404, 405; 400 for broken percent-encoding).
    const Route& match(Request& request) const;

    // Turns an exception from a handler into a Problem, e.g. a lost database into 503; nothing for one it
    // doesn't know. Asked in the order added.
    using Translator = std::function<std::optional<Problem>(const std::exception&)>;
    void add_translator(Translator translator) { translators_.push_back(std::move(translator)); }

    // Runs the matching handler; never throws but on cancellation.
    boost::asio::awaitable<Response> dispatch(Request& request) const;

private:
    struct Node;
    Response answer_to(const std::exception_ptr& failure, const Request& request) const;

    std::vector<Route> routes_;
    std::vector<Translator> translators_;
    std::shared_ptr<Node> root_;
};

}  // namespace posthorn::http
