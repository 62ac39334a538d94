#pragma once
#include <boost/json/value.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace posthorn::test {

// Secrets that were used, to be looked for in what a service writes.
class SecretWatch {
public:
    // As it is, in base64 and in hex; of a key in hex or base64 (a signing key's, too) also its bytes. Texts
    // shorter than 8 are passed over: they would be found by chance.
    void remember(std::string_view secret);
    // From a request's or an answer's body: keys, tokens, sensitive headers, values in an endpoint URL's
    // query.
    void learn_from(std::string_view body);
    // The beginning of the first line that holds one.
    std::optional<std::string> find_leak(std::string_view log) const;

private:
    void learn_from_value(const boost::json::value& value);
    void learn_from_member(std::string_view name, const boost::json::value& value);
    void remember_query(std::string_view url);
    void add_forms(std::string_view bytes);

    std::set<std::string, std::less<>> forms_;
};

}  // namespace posthorn::test
