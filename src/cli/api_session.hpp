#pragma once
#include <boost/json/value.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "cli/settings_from_command_line.hpp"
#include "egress/api_client.hpp"

namespace posthorn::cli {

// The API as a command sees it: JSON comes back, and whatever goes wrong becomes a CommandFailed that says
// what to do.
class ApiSession {
public:
    explicit ApiSession(egress::ApiClient::Options options) : client_(std::move(options)) {}

    egress::ApiAnswer call(std::string_view method, const std::string& path, std::string_view body = {},
                           const egress::ApiClient::Fields& fields = {});
    // Any 2xx answer's JSON (null when empty).
    boost::json::value expect(std::string_view method, const std::string& path, std::string_view body = {},
                              const egress::ApiClient::Fields& fields = {});
    const std::string& server() const { return client_.server(); }

private:
    egress::ApiClient client_;
};

// For an answer that is no 2xx.
CommandFailed explain_answer(const egress::ApiAnswer& answer);

// A segment of a path or a value of a query, percent-encoded.
std::string encoded(std::string_view text);

// A text field of an answer; throws CommandFailed where it is missing.
std::string text_field(const boost::json::object& object, std::string_view name);
std::string text_field(const boost::json::value& object, std::string_view name);

// Every item of a list, page by page, until the visitor returns false. `path` may have a query.
void for_each_item(ApiSession& api, const std::string& path,
                   const std::function<bool(const boost::json::object& item)>& visit);

// --server, --token and what their defaults come from. The command outlives this object.
class ApiFlags {
public:
    explicit ApiFlags(CLI::App& command);
    // After parsing. Throws CommandFailed when there is no token.
    ApiSession connect() const;

private:
    std::string server_, token_;
    SettingsFlags settings_;
};

}  // namespace posthorn::cli
