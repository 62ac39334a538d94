#include "cli/api_session.hpp"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/client_token.hpp"
#include "domain/access_token.hpp"

namespace posthorn::cli {

namespace json = boost::json;

namespace {
constexpr std::chrono::minutes token_lifetime{60};
constexpr std::size_t longest_shown_body = 500;
constexpr int page_items = 250;  // the API's largest page

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::string location_of(const json::object& problem) {
    std::string location;
    const auto* loc = problem.if_contains("loc");
    if (!loc || !loc->is_array()) return location;
    for (const auto& part : loc->get_array())
        if (part.is_string())
            location += fmt::format("{}{}", location.empty() ? "" : ".", view(part.get_string()));
    return location;
}

// {"code", "detail": text} or {"detail": [{"loc", "msg"}]}.
std::string detail_of(const std::string& body) {
    boost::system::error_code error;
    const auto value = json::parse(body, error);
    const auto* object = error ? nullptr : value.if_object();
    const auto* detail = object ? object->if_contains("detail") : nullptr;
    if (!detail) return body.substr(0, longest_shown_body);
    if (detail->is_string()) return std::string(view(detail->get_string()));
    std::string text;
    if (const auto* problems = detail->if_array())
        for (const auto& problem : *problems) {
            const auto* fields = problem.if_object();
            const auto* message = fields ? fields->if_contains("msg") : nullptr;
            if (!message || !message->is_string()) continue;
            text += fmt::format("{}{} {}", text.empty() ? "" : "; ", location_of(*fields),
                                view(message->get_string()));
        }
    return text;
}

std::string next_step(const egress::ApiAnswer& answer) {
    switch (answer.status) {
        case 401:
            return "`posthorn token` makes a token; give it with --token or POSTHORN_TOKEN.";
        case 403:
            return "The token may not do this; `posthorn token` without --app makes one of the organization.";
        case 429:
        case 503:
            for (const auto& [name, value] : answer.fields)
                if (name == "retry-after") return fmt::format("Try again in {} seconds.", value);
            return "Try again in a while.";
        default:
            return {};
    }
}

std::string default_server(const config::Settings& settings) {
    const auto& listen = settings.listen;
    if (listen.port == 0)
        throw CommandFailed("POSTHORN_LISTEN names no port",
                            "Give the service's URL with --server or POSTHORN_URL.");
    if (listen.host == "0.0.0.0" || listen.host == "::")
        return fmt::format("http://127.0.0.1:{}", listen.port);
    const bool is_v6 = listen.host.find(':') != std::string::npos;
    return fmt::format(fmt::runtime(is_v6 ? "http://[{}]:{}" : "http://{}:{}"), listen.host, listen.port);
}
}  // namespace

CommandFailed explain_answer(const egress::ApiAnswer& answer) {
    if (answer.status < 400)
        return CommandFailed(fmt::format("the server answered {}, as Posthorn does not", answer.status),
                             "Does --server (or POSTHORN_URL) name a posthorn service?");
    return CommandFailed(fmt::format("the service answered {}: {}", answer.status, detail_of(answer.body)),
                         next_step(answer));
}

egress::ApiAnswer ApiSession::call(std::string_view method, const std::string& path, std::string_view body,
                                   const egress::ApiClient::Fields& fields) {
    try {
        return client_.call(method, path, body, fields);
    } catch (const egress::ApiUnreachable& error) {
        throw CommandFailed(error.what(),
                            "Is `posthorn serve` running? If it listens elsewhere, name its URL with "
                            "--server or POSTHORN_URL.");
    } catch (const std::invalid_argument& error) {
        throw UsageError(error.what());
    }
}

json::value ApiSession::expect(std::string_view method, const std::string& path, std::string_view body,
                               const egress::ApiClient::Fields& fields) {
    const auto answer = call(method, path, body, fields);
    if (answer.status < 200 || answer.status > 299) throw explain_answer(answer);
    if (answer.body.empty()) return {};
    boost::system::error_code error;
    auto value = json::parse(answer.body, error);
    if (error)
        throw CommandFailed(fmt::format("{} answered with something that is not JSON", client_.server()),
                            "Does --server (or POSTHORN_URL) name a posthorn service?");
    return value;
}

std::string encoded(std::string_view text) {
    return boost::urls::encode(boost::core::string_view(text.data(), text.size()),
                               boost::urls::unreserved_chars);
}

std::string text_field(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (!value || !value->is_string())
        throw CommandFailed(fmt::format("the service's answer has no \"{}\"", name),
                            "Is it older or newer than this program?");
    return std::string(view(value->get_string()));
}

std::string text_field(const json::value& object, std::string_view name) {
    return text_field(object.is_object() ? object.get_object() : json::object(), name);
}

void for_each_item(ApiSession& api, const std::string& path,
                   const std::function<bool(const json::object& item)>& visit) {
    const auto first =
        fmt::format("{}{}limit={}", path, path.find('?') == std::string::npos ? '?' : '&', page_items);
    std::string iterator;
    while (true) {
        const auto page =
            api.expect("GET", iterator.empty() ? first : first + "&iterator=" + encoded(iterator));
        for (const auto& item : page.at("data").as_array())
            if (!visit(item.as_object())) return;
        if (page.at("done").as_bool()) return;
        iterator = text_field(page, "iterator");
    }
}

ApiFlags::ApiFlags(CLI::App& command) : settings_(command, {"data_dir"}) {
    command.add_option("--server", server_, "the service's URL (default: http:// and POSTHORN_LISTEN)")
        ->type_name("URL")
        ->envname("POSTHORN_URL");
    command
        .add_option("--token", token_, "access token (default: one is made with the data directory's secret)")
        ->type_name("TOKEN")
        ->envname("POSTHORN_TOKEN");
}

ApiSession ApiFlags::connect() const {
    const auto settings = settings_.settings();
    egress::ApiClient::Options options;
    options.server = server_.empty() ? default_server(settings) : server_;
    options.token = Secret(token_.empty() ? make_client_token(settings, domain::default_organization(),
                                                              std::nullopt, token_lifetime)
                                          : token_);
    return ApiSession(std::move(options));
}

}  // namespace posthorn::cli
