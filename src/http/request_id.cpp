#include "http/request_id.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/random.hpp"
#include "http/ascii.hpp"

namespace posthorn::http {
namespace {

constexpr std::size_t request_id_limit = 64;  // characters

bool is_sane(const std::string& id) {
    const auto allowed = [](char c) {
        return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
    };
    return !id.empty() && id.size() <= request_id_limit && std::ranges::all_of(id, allowed);
}

}  // namespace

std::string choose_request_id(const Fields& fields) {
    const auto* given = fields.find("X-Request-Id");
    if (given != nullptr && is_sane(*given)) return *given;
    return fmt::format("{:016x}", random_u64());
}

}  // namespace posthorn::http
