#pragma once
#include <boost/json.hpp>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dice.hpp"

namespace posthorn::test {

// What answers have told of the objects that exist: path parameters that belong together, and iterators of
// lists. Bounded: the newest are kept.
class KnownObjects {
public:
    using Place = std::map<std::string, std::string, std::less<>>;  // path parameter -> value

    // `asked` is where the answer came from.
    void learn(std::string_view operation, const Place& asked, const boost::json::value& answer);
    // It is not there (any more), nor is what lies in it.
    void forget(const Place& place);

    // Values for the parameters that are of one object, as far as there are any; what nothing is known of is
    // left out. An object is also named by the uid or eventId that it has.
    Place choose(const std::vector<std::string_view>& parameters, Dice& dice) const;
    std::string iterator(std::string_view operation, Dice& dice) const;  // empty: none
    std::string token(Dice& dice) const;                                 // of an API key, or a customer

private:
    void learn_object(const Place& asked, const boost::json::object& object);
    void keep(const std::string& kind, Place place);
    void keep_iterators(std::string_view operation, const boost::json::object& answer);

    std::map<std::string, std::deque<Place>, std::less<>> places_;  // by the parameter that they end with
    std::map<std::string, std::deque<std::string>, std::less<>> iterators_;
    std::map<std::string, std::string, std::less<>> other_names_;  // id -> uid or eventId
    std::deque<std::string> tokens_;
};

}  // namespace posthorn::test
