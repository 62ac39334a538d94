#include "http/router.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <set>
#include <span>
#include <spdlog/spdlog.h>
#include <stdexcept>

#include "http/target.hpp"

namespace posthorn::http {
namespace asio = boost::asio;

namespace {

// "/a/b" and "/a/b/" are a, b; "/" is nothing. An empty segment in between stays, and matches no route.
std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> segments;
    segments.reserve(8);
    if (path.starts_with('/')) path.remove_prefix(1);
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return segments;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }

std::vector<std::string> decoded_segments(std::string_view path) {
    const auto segments = split(path);
    std::vector<std::string> decoded;
    decoded.reserve(segments.size());
    for (const auto segment : segments) {
        auto text = percent_decode(segment, PlusSign::literal);
        if (!text)
            throw Problem{400, "bad_request",
                          "The path holds a broken percent-encoding, or text that is not UTF-8."};
        decoded.push_back(std::move(*text));
    }
    return decoded;
}

bool serves(Method route, Method request) {
    return route == request || (route == Method::get && request == Method::head);
}

Problem method_not_allowed(const std::set<std::string_view>& allowed) {
    std::string list;
    for (const auto method : allowed) list.append(list.empty() ? "" : ", ").append(method);
    Problem problem{405, "method_not_allowed", "This path takes " + list + "."};
    problem.fields.add("Allow", std::move(list));
    return problem;
}

Response internal_error(const Request& request, std::string_view what) {
    spdlog::error("request {} ({} {}) failed: {}", request.id, to_string(request.method), request.path, what);
    return to_response(Problem{
        500, "internal_error",
        "The server could not answer the request; its log has the reason under request " + request.id + "."});
}

}  // namespace

struct Router::Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::unique_ptr<Node> parameter;
    std::vector<std::size_t> routes;  // indices; one a method

    Node& child(std::string_view segment) {
        auto& place = is_parameter(segment) ? parameter : literals[std::string(segment)];
        if (!place) place = std::make_unique<Node>();
        return *place;
    }

    // Literals go first; a branch that ends without a route of the method is left for the next one. The
    // methods of paths that match otherwise are added to `allowed`.
    const Route* find(std::span<const std::string> rest, Method method, const std::vector<Route>& all,
                      std::set<std::string_view>& allowed) const {
        if (rest.empty()) return find_here(method, all, allowed);
        if (rest.front().empty()) return nullptr;
        if (const auto literal = literals.find(rest.front()); literal != literals.end())
            if (const auto* found = literal->second->find(rest.subspan(1), method, all, allowed))
                return found;
        return parameter ? parameter->find(rest.subspan(1), method, all, allowed) : nullptr;
    }

private:
    const Route* find_here(Method method, const std::vector<Route>& all,
                           std::set<std::string_view>& allowed) const {
        for (const auto index : routes)
            if (all[index].method == method) return &all[index];
        for (const auto index : routes) {
            if (serves(all[index].method, method)) return &all[index];
            allowed.insert(to_string(all[index].method));
            if (all[index].method == Method::get) allowed.insert(to_string(Method::head));
        }
        return nullptr;
    }
};

void Router::add(Method method, std::string_view pattern, Handler handler) {
    if (!pattern.starts_with('/')) throw std::invalid_argument("a route's pattern begins with a slash");
    if (!root_) root_ = std::make_shared<Node>();
    auto* node = root_.get();
    for (const auto segment : split(pattern)) node = &node->child(segment);
    for (const auto index : node->routes)
        if (routes_[index].method == method)
            throw std::invalid_argument("two routes for " + std::string(to_string(method)) + " " +
                                        std::string(pattern));
    node->routes.push_back(routes_.size());
    routes_.push_back({method, std::string(pattern), std::move(handler)});
}

const Router::Route& Router::match(Request& request) const {
    auto segments = decoded_segments(request.path);
    std::set<std::string_view> allowed;
    const Route* route = root_ ? root_->find(segments, request.method, routes_, allowed) : nullptr;
    if (route == nullptr) {
        if (!allowed.empty()) throw method_not_allowed(allowed);
        throw Problem{404, "not_found", "There is nothing at this path."};
    }
    request.parameters.clear();
    std::size_t place = 0;
    for (const auto segment : split(route->pattern)) {
        if (is_parameter(segment))
            request.parameters.emplace(segment.substr(1, segment.size() - 2), std::move(segments[place]));
        ++place;
    }
    return *route;
}

asio::awaitable<Response> Router::dispatch(Request& request) const {
    std::exception_ptr failure;
    try {
        co_return co_await match(request).handler(request);
    } catch (const Problem& problem) {
        co_return to_response(problem);
    } catch (const ValidationProblem& problem) {
        co_return to_response(problem);
    } catch (...) {
        failure = std::current_exception();
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) std::rethrow_exception(failure);
    co_return answer_to(failure, request);
}

Response Router::answer_to(const std::exception_ptr& failure, const Request& request) const {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        for (const auto& translate : translators_)
            if (const auto problem = translate(error)) return to_response(*problem);
        return internal_error(request, error.what());
    } catch (...) {
        return internal_error(request, "something that is no std::exception was thrown");
    }
}

}  // namespace posthorn::http
