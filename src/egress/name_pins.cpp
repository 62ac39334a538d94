#include "egress/name_pins.hpp"

#include <utility>

namespace posthorn::egress {

void NamePins::hold(const std::string& name) {
    if (++users_[name] == 1) stale_.erase(name);
}

void NamePins::release(const std::string& name) {
    const auto found = users_.find(name);
    if (--found->second > 0) return;
    stale_.insert(name);
    users_.erase(found);
}

std::vector<std::string> NamePins::take_stale() {
    std::vector<std::string> names;
    names.reserve(stale_.size());
    while (!stale_.empty()) names.push_back(std::move(stale_.extract(stale_.begin()).value()));
    return names;
}

void NamePins::add_stale(std::vector<std::string> names) {
    for (auto& name : names)
        if (!users_.contains(name)) stale_.insert(std::move(name));
}

}  // namespace posthorn::egress
