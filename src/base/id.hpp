#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/uuid.hpp"

namespace posthorn {

std::string encode_id(std::string_view prefix, const Uuid& value);
std::optional<Uuid> decode_id(std::string_view prefix, std::string_view text);

// An id that can not be mistaken for another kind's. As text: prefix, '_' and 26 characters of lowercase
// Crockford base32 (as TypeID does), so ids sort by the time in their UUIDv7.
template <class Tag>
struct Id {
    Uuid value;

    auto operator<=>(const Id&) const = default;
    bool is_nil() const { return value.is_nil(); }
    std::string str() const { return encode_id(Tag::prefix, value); }
    static Id make(SystemTime now) { return Id{make_uuid_v7(now)}; }
    static std::optional<Id> parse(std::string_view text) {
        const auto value = decode_id(Tag::prefix, text);
        if (!value) return std::nullopt;
        return Id{*value};
    }
};

// The kinds. ARCHITECTURE.md, Vocabulary.
struct Organization {
    static constexpr std::string_view prefix = "org";
};
struct Application {
    static constexpr std::string_view prefix = "app";
};
struct Endpoint {
    static constexpr std::string_view prefix = "ep";
};
struct Message {
    static constexpr std::string_view prefix = "msg";
};
struct Attempt {
    static constexpr std::string_view prefix = "atmpt";
};
struct ApiKey {
    static constexpr std::string_view prefix = "key";
};
struct EventType {
    static constexpr std::string_view prefix = "evtype";
};
struct EndpointSecret {
    static constexpr std::string_view prefix = "epsec";
};
struct ReplayJob {
    static constexpr std::string_view prefix = "qtask";
};
struct AuditEntry {
    static constexpr std::string_view prefix = "audit";
};
struct Process {
    static constexpr std::string_view prefix = "proc";
};

using OrganizationId = Id<Organization>;
using ApplicationId = Id<Application>;
using EndpointId = Id<Endpoint>;
using MessageId = Id<Message>;
using AttemptId = Id<Attempt>;
using ApiKeyId = Id<ApiKey>;
using EventTypeId = Id<EventType>;
using EndpointSecretId = Id<EndpointSecret>;
using ReplayJobId = Id<ReplayJob>;
using AuditEntryId = Id<AuditEntry>;
using ProcessId = Id<Process>;

}  // namespace posthorn

template <class Tag>
struct std::hash<posthorn::Id<Tag>> {
    std::size_t operator()(const posthorn::Id<Tag>& id) const noexcept {
        return std::hash<posthorn::Uuid>{}(id.value);
    }
};
