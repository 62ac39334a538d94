#pragma once
#include <string>
#include <string_view>

#include "api_operations.hpp"
#include "dice.hpp"
#include "json_draft.hpp"
#include "known_objects.hpp"

namespace posthorn::test {

// What endpoints may be made to point to. Nothing here leads off this machine.
struct Receivers {
    std::string good;    // answers as the last segment of its path says: .../204
    std::string closed;  // nobody listens there
};

// Values by the document's schemas. Most are valid; `beyond` is how likely each is to break its schema by
// one: one character too many, the number below the lowest.
class SchemaValues {
public:
    SchemaValues(const ApiDescription& description, const KnownObjects& known, const Receivers& receivers,
                 Dice& dice, double beyond)
        : description_(description), known_(known), receivers_(receivers), dice_(dice), beyond_(beyond) {}

    // Where the value belongs decides what it refers to: an application's id belongs to the request's own
    // path.
    void stand_at(KnownObjects::Place place) { place_ = std::move(place); }

    JsonDraft value(const boost::json::object& schema, std::string_view name);
    // Of a query parameter: the value's text, or one text an item.
    std::vector<std::string> texts(const boost::json::object& schema, std::string_view name);

private:
    JsonDraft of_type(const boost::json::object& schema, std::string_view type, std::string_view name);
    JsonDraft number(const boost::json::object& schema, std::string_view name);
    JsonDraft array(const boost::json::object& schema, std::string_view name);
    JsonDraft object(const boost::json::object& schema);
    void add_free_members(const boost::json::object& schema, JsonDraft& draft);
    void add_choices(const boost::json::object& schema, const boost::json::object& base, JsonDraft& draft);
    void take_branch(const boost::json::object& branch, const boost::json::object& base, JsonDraft& draft);
    JsonDraft any_object();

    std::string text(const boost::json::object& schema, std::string_view name);
    std::string text_by_name(std::string_view name);
    std::string text_by_pattern(std::string_view pattern, std::size_t length);
    std::string known_id(std::string_view parameter);
    std::string time(std::string_view name);
    std::string url();
    std::size_t length(const boost::json::object& schema, std::string_view least, std::string_view most,
                       std::size_t usual);

    const ApiDescription& description_;
    const KnownObjects& known_;
    const Receivers& receivers_;
    Dice& dice_;
    double beyond_;
    KnownObjects::Place place_;
    int depth_ = 0;
};

}  // namespace posthorn::test
