#pragma once
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace posthorn::egress {

// Which names ("host:port") libcurl's own cache must know: those of the transfers under way, and no other. An
// entry is set by the transfer that needs it (replacing the addresses of an earlier one) and taken out again,
// by whichever transfer begins next, after its last user has ended: curl never meets addresses that were not
// vetted just now.
class NamePins {
public:
    void hold(const std::string& name);
    void release(const std::string& name);
    // Names without a user, for the caller to take out of curl's cache; those he couldn't go back by
    // add_stale.
    std::vector<std::string> take_stale();
    void add_stale(std::vector<std::string> names);

private:
    std::unordered_map<std::string, unsigned> users_;
    std::unordered_set<std::string> stale_;
};

}  // namespace posthorn::egress
