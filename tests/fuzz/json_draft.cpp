#include "json_draft.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace posthorn::test {

namespace {

void write(const JsonDraft& draft, std::string& out) {
    if (draft.kind == JsonDraft::Kind::scalar) {
        out += draft.scalar;
        return;
    }
    const bool object = draft.kind == JsonDraft::Kind::object;
    out += object ? '{' : '[';
    bool first = true;
    const auto separate = [&] {
        if (!first) out += ',';
        first = false;
    };
    for (const auto& item : draft.items) {
        separate();
        write(item, out);
    }
    for (const auto& [name, value] : draft.members) {
        separate();
        out.append(name).append(":");
        write(value, out);
    }
    out += object ? '}' : ']';
}

void collect(JsonDraft& draft, std::vector<JsonDraft*>& nodes) {
    nodes.push_back(&draft);
    for (auto& item : draft.items) collect(item, nodes);
    for (auto& member : draft.members) collect(member.value, nodes);
}

}  // namespace

JsonDraft JsonDraft::raw(std::string text) {
    JsonDraft draft;
    draft.scalar = std::move(text);
    return draft;
}

JsonDraft JsonDraft::array() {
    JsonDraft draft;
    draft.kind = Kind::array;
    return draft;
}

JsonDraft JsonDraft::object() {
    JsonDraft draft;
    draft.kind = Kind::object;
    return draft;
}

void JsonDraft::set(std::string_view name, JsonDraft value) {
    const auto written = json_string(name);
    const auto there = std::find_if(members.begin(), members.end(),
                                    [&](const auto& member) { return member.name == written; });
    if (there != members.end())
        there->value = std::move(value);
    else
        members.push_back({written, std::move(value)});
}

void JsonDraft::erase(std::string_view name) {
    std::erase_if(members,
                  [written = json_string(name)](const auto& member) { return member.name == written; });
}

std::string JsonDraft::text() const {
    std::string out;
    write(*this, out);
    return out;
}

std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out.append("\\").append(1, c);
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    return out + '"';
}

std::vector<JsonDraft*> all_nodes(JsonDraft& draft) {
    std::vector<JsonDraft*> nodes;
    collect(draft, nodes);
    return nodes;
}

}  // namespace posthorn::test
