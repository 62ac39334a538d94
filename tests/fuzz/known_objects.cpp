#include "known_objects.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace posthorn::test {

namespace json = boost::json;

namespace {

constexpr std::size_t places_kept = 48;  // of a kind
constexpr std::size_t texts_kept = 16;
constexpr std::size_t items_learnt = 24;  // of one answer
constexpr std::size_t names_kept = 4'000;

std::optional<std::string> text_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

// The path parameter that an id stands for.
std::string kind_of(std::string_view id) {
    if (id.find('.') != std::string_view::npos) return "dead_letter_id";
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kinds{
        {{"app_", "app_id"},
         {"ep_", "endpoint_id"},
         {"msg_", "msg_id"},
         {"atmpt_", "attempt_id"},
         {"key_", "key_id"},
         {"qtask_", "task_id"}}};
    for (const auto& [prefix, kind] : kinds)
        if (id.starts_with(prefix)) return std::string(kind);
    return {};
}

template <class T>
void push(std::deque<T>& kept, T value, std::size_t most) {
    if (std::find(kept.begin(), kept.end(), value) != kept.end()) return;
    kept.push_back(std::move(value));
    if (kept.size() > most) kept.pop_front();
}

bool holds(const KnownObjects::Place& place, const KnownObjects::Place& part) {
    return std::all_of(part.begin(), part.end(), [&](const auto& entry) {
        const auto there = place.find(entry.first);
        return there != place.end() && there->second == entry.second;
    });
}

}  // namespace

void KnownObjects::learn(std::string_view operation, const Place& asked, const json::value& answer) {
    const auto* object = answer.if_object();
    if (object == nullptr) return;
    keep_iterators(operation, *object);
    learn_object(asked, *object);
    const auto* data = object->if_contains("data");
    if (data == nullptr || !data->is_array()) return;
    std::size_t learnt = 0;
    for (const auto& item : data->get_array()) {
        if (++learnt > items_learnt) return;
        if (const auto* inner = item.if_object()) learn_object(asked, *inner);
    }
}

void KnownObjects::keep_iterators(std::string_view operation, const json::object& answer) {
    for (const auto* name : {"iterator", "prevIterator"})
        if (auto iterator = text_at(answer, name))
            push(iterators_[std::string(operation)], std::move(*iterator), texts_kept);
}

void KnownObjects::learn_object(const Place& asked, const json::object& object) {
    if (const auto* message = object.if_contains("message"); message != nullptr && message->is_object())
        learn_object(asked, message->get_object());  // one of a batch
    for (const auto* member : {"token", "key"})
        if (auto token = text_at(object, member);
            token && (member == std::string_view("token") || token->starts_with("phk_")))
            push(tokens_, std::move(*token), texts_kept);
    if (object.contains("schemas"))
        if (auto name = text_at(object, "name")) keep("event_type_name", {{"event_type_name", *name}});
    const auto id = text_at(object, "id");
    const auto kind = id ? kind_of(*id) : "";
    if (kind.empty()) return;

    Place place;
    if (const auto app = asked.find("app_id"); app != asked.end()) place.insert(*app);
    for (const auto& [member, parameter] :
         {std::pair{"appId", "app_id"}, {"endpointId", "endpoint_id"}, {"msgId", "msg_id"}})
        if (auto value = text_at(object, member)) place[parameter] = std::move(*value);
    if (kind == "app_id" || kind == "key_id" || kind == "task_id") place.clear();
    place[kind] = *id;
    for (const auto* member : {"uid", "eventId"})
        if (auto name = text_at(object, member)) {
            if (other_names_.size() >= names_kept) other_names_.clear();
            other_names_[*id] = std::move(*name);
        }
    const bool is_replay =
        object.contains("replayed") || text_at(object, "task").value_or("").starts_with("endpoint.");
    if (kind == "task_id" && is_replay) keep("replay_id", {{"replay_id", *id}});
    keep(kind, std::move(place));
}

void KnownObjects::keep(const std::string& kind, Place place) {
    push(places_[kind], std::move(place), places_kept);
}

void KnownObjects::forget(const Place& place) {
    if (place.empty()) return;
    for (auto& entry : places_)
        std::erase_if(entry.second, [&](const Place& kept) { return holds(kept, place); });
}

KnownObjects::Place KnownObjects::choose(const std::vector<std::string_view>& parameters, Dice& dice) const {
    Place chosen;
    const auto first = dice.below(1'000'000), alias = dice.below(4);
    for (const auto parameter : parameters) {
        std::vector<const Place*> fitting;
        for (const auto& [kind, places] : places_)
            for (const auto& place : places)
                if (place.contains(parameter) &&
                    std::all_of(chosen.begin(), chosen.end(), [&](const auto& entry) {
                        const auto there = place.find(entry.first);
                        return there == place.end() || there->second == entry.second;
                    }))
                    fitting.push_back(&place);
        // What has all of them goes before what has only some.
        const auto has_all = [&](const Place* place) {
            return std::all_of(parameters.begin(), parameters.end(),
                               [&](auto name) { return place->contains(name); });
        };
        const auto complete = std::partition(fitting.begin(), fitting.end(), has_all);
        if (complete != fitting.begin()) fitting.erase(complete, fitting.end());
        if (fitting.empty()) continue;
        const auto& place = *fitting[first % fitting.size()];
        for (const auto name : parameters)
            if (const auto there = place.find(name); there != place.end()) chosen.insert(*there);
    }
    if (alias == 0)
        for (auto& entry : chosen)
            if (const auto other = other_names_.find(entry.second); other != other_names_.end())
                entry.second = other->second;
    return chosen;
}

std::string KnownObjects::iterator(std::string_view operation, Dice& dice) const {
    const auto chosen = dice.below(texts_kept);
    const auto known = iterators_.find(operation);
    return known == iterators_.end() ? std::string() : known->second[chosen % known->second.size()];
}

std::string KnownObjects::token(Dice& dice) const {
    const auto chosen = dice.below(texts_kept);
    return tokens_.empty() ? std::string() : tokens_[chosen % tokens_.size()];
}

}  // namespace posthorn::test
