#include "fuzz_request.hpp"

#include <array>
#include <fmt/format.h>

#include "hostile_input.hpp"

namespace posthorn::test {

namespace {

using Place = ApiParameter::Place;

constexpr std::string_view unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (unreserved.find(c) != std::string_view::npos)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    return out;
}

// How far from what the document asks for.
enum class Mood { valid, beyond_bounds, hostile };

class Making {
public:
    Making(const ApiDescription& description, const KnownObjects& known, const Receivers& receivers,
           const FuzzTokens& tokens, Dice dice)
        : known_(known),
          tokens_(tokens),
          dice_(dice),
          mood_(choose_mood()),
          values_(description, known, receivers, dice_, mood_ == Mood::beyond_bounds ? 0.15 : 0.0) {
        request_.operation = &dice_.one_of(description.operations());
        request_.method = request_.operation->method;
    }

    FuzzRequest make() {
        add_path();
        add_parameters();
        add_token();
        add_body();
        if (mood_ == Mood::hostile && !spoilt_) spoil_message();
        request_.target = path_;
        for (std::size_t i = 0; i < query_.size(); ++i) request_.target += (i == 0 ? "?" : "&") + query_[i];
        // Whether an answer to HEAD has a body depends on whether it could be read.
        if (mood_ == Mood::hostile && request_.method != "HEAD" && dice_.chance(0.06)) add_framing();
        return std::move(request_);
    }

private:
    Mood choose_mood() {
        const auto way = dice_.below(100);
        if (way < 62) return Mood::valid;
        return way < 76 ? Mood::beyond_bounds : Mood::hostile;
    }
    bool spoils(double probability) {
        const bool now = mood_ == Mood::hostile && dice_.chance(probability);
        spoilt_ = spoilt_ || now;
        return now;
    }

    void add_path();
    void add_parameters();
    void add_query(std::string_view name, std::string_view value) {
        query_.push_back(percent_encoded(name) + "=" + percent_encoded(value));
    }
    void spoil_query();
    void add_token();
    void add_body();
    void spoil_message();
    void add_framing();
    void field(std::string name, std::string value) {
        request_.fields.emplace_back(std::move(name), std::move(value));
    }

    const KnownObjects& known_;
    const FuzzTokens& tokens_;
    Dice dice_;
    Mood mood_;
    SchemaValues values_;
    FuzzRequest request_;
    std::string path_;
    std::vector<std::string> query_;
    bool spoilt_ = false;
};

void Making::add_path() {
    std::vector<std::string_view> names;
    for (const auto& parameter : request_.operation->parameters)
        if (parameter.place == Place::path) names.push_back(parameter.name);
    request_.place = known_.choose(names, dice_);
    // PUT also makes what is not there yet.
    if (request_.method == "PUT" && !names.empty() && dice_.chance(0.2))
        request_.place[std::string(names.back())] = fmt::format("made-{}", dice_.below(300));
    const bool spoils_segment = spoils(0.2), spoils_end = spoils(0.03);
    const auto spoilt_segment = names.empty() ? 0 : dice_.below(names.size());
    path_ = request_.operation->pattern;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto there = request_.place.find(names[i]);
        auto value = there == request_.place.end() ? "nothing-known" : percent_encoded(there->second);
        if (spoils_segment && i == spoilt_segment) value = hostile_segment(dice_);
        const auto braced = fmt::format("{{{}}}", names[i]);
        path_.replace(path_.find(braced), braced.size(), value);
    }
    values_.stand_at(request_.place);
    if (spoils_end) path_ += dice_.one_of(std::array<std::string_view, 5>{"/", "//", "/..", "/%2F", "/x"});
    if (spoils_segment || spoils_end || request_.place.size() < names.size()) request_.place.clear();
}

void Making::add_parameters() {
    for (const auto& parameter : request_.operation->parameters) {
        if (parameter.place == Place::path) continue;
        if (!parameter.required && !dice_.chance(0.3)) continue;
        if (parameter.name == "iterator" && mood_ == Mood::valid) {
            const auto iterator = known_.iterator(request_.operation->title(), dice_);
            if (!iterator.empty()) add_query("iterator", iterator);
            continue;
        }
        const auto texts = values_.texts(*parameter.schema, parameter.name);
        for (const auto& text : texts) {
            if (parameter.place == Place::header)
                field(parameter.name, text);
            else
                add_query(parameter.name, text);
        }
    }
    if (spoils(0.25)) spoil_query();
}

void Making::spoil_query() {
    std::vector<std::string> names{"limit", "x", ""};
    for (const auto& parameter : request_.operation->parameters)
        if (parameter.place == Place::query) names.push_back(parameter.name);
    const auto name = dice_.one_of(names);
    const auto value = hostile_query_value(dice_);
    switch (dice_.below(6)) {
        case 0:  // the same parameter twice, and differently
            query_.push_back(name + "=" + value);
            query_.push_back(name + "=" + hostile_query_value(dice_));
            break;
        case 1:
            query_.push_back(name);
            break;
        case 2:
            query_.assign(101, name + "=1");
            break;
        case 3:
            query_.insert(query_.begin(), "&&=&");
            break;
        default:
            query_.push_back(name + "=" + value);
    }
}

void Making::add_token() {
    const auto another = dice_.chance(0.04);
    const auto token = known_.token(dice_);
    if (spoils(0.08)) {
        if (dice_.chance(0.7)) field("Authorization", hostile_authorization(dice_));
        return;
    }
    if (request_.operation->is_public) return;
    if (another && !token.empty())
        field("Authorization", "Bearer " + token);
    else
        field("Authorization",
              "Bearer " +
                  (mood_ == Mood::hostile && dice_.chance(0.05) ? tokens_.foreign : tokens_.organization));
}

void Making::add_body() {
    const auto* schema = request_.operation->body;
    if (schema == nullptr) {
        if (spoils(0.05)) request_.body = hostile_json(dice_);
        return;
    }
    auto draft = values_.value(*schema, "");
    if (spoils(0.6)) {
        spoil(draft, dice_);
        if (dice_.chance(0.3)) spoil(draft, dice_);
    }
    request_.body = draft.text();
    if (spoils(0.12)) request_.body = spoiled_text(std::move(request_.body), dice_);
    if (spoils(0.01)) request_.body.append(1'100'000, ' ');
    field("Content-Type", spoils(0.06) ? hostile_field(dice_) : "application/json");
}

// For what has nothing else that could be spoilt, and now and then.
void Making::spoil_message() {
    static const std::vector<std::string> methods{"HEAD",   "OPTIONS", "TRACE", "PUT", "PATCH", "POST",
                                                  "DELETE", "GET",     "get",   "FOO", "X"};
    static const std::vector<std::string> names{"Idempotency-Key", "X-Request-Id", "If-None-Match",
                                                "Accept",          "Content-Type", "Authorization",
                                                "Accept-Encoding", "X\x01",        "A B"};
    switch (dice_.below(4)) {
        case 0:
            request_.method = dice_.one_of(methods);
            request_.place.clear();
            break;
        case 1:
            for (int i = 0; i < 101; ++i) field(fmt::format("X-{}", i), "x");
            break;
        default:
            field(dice_.one_of(names), hostile_field(dice_));
    }
}

// Wrong ways to say where a request begins and ends.
void Making::add_framing() {
    const auto head = fmt::format("{} {} HTTP/1.1\r\n", request_.method, request_.target);
    const auto& body = request_.body;
    const auto whole = request_.bytes();
    const std::vector<std::string> framings{
        head + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
            fmt::format("{:x}\r\n{}\r\n0\r\n\r\n", body.size() + 1, body + " "),
        head + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + body,
        head + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + body,
        head + "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        head + "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        head + "Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        head + "Host: x\r\nContent-Length: -1\r\n\r\n",
        head + "Host: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        head + fmt::format("Host: x\r\nContent-Length: {}\r\n\r\n{}", body.size() + 10, body),
        head + fmt::format("Host: x\r\nContent-Length: {}\r\n\r\n{}", body.size() / 2, body),
        head + "\r\n",
        head + "Host: x\r\nHost: y\r\n\r\n",
        head + "Host: x\nX: y\n\n",
        head + "Host: x\r\nno colon here\r\n\r\n",
        head + "Host: x\r\nX: a\r\n b\r\n\r\n",
        head + "Host: x\r\n: nameless\r\n\r\n",
        head + "Host: x\r\nX: a\rb\r\n\r\n",
        head.substr(0, head.size() / 2),
        whole.substr(0, dice_.below(whole.size())),
        whole + whole + whole,
        "\r\n\r\n" + whole + "\r\n",
        std::string(300, '\0'),
        "\x16\x03\x01\x02 a TLS handshake",
        "GET\r\n\r\n",
        std::string(20'000, 'A')};
    request_.framed = dice_.one_of(framings);
    request_.place.clear();
}

}  // namespace

std::string FuzzRequest::bytes() const {
    if (!framed.empty()) return framed;
    auto text = fmt::format("{} {} HTTP/1.1\r\nHost: posthorn\r\n", method, target);
    for (const auto& [name, value] : fields) text.append(name).append(": ").append(value).append("\r\n");
    if (!body.empty() || operation->body != nullptr)
        text += fmt::format("Content-Length: {}\r\n", body.size());
    return text + "\r\n" + body;
}

FuzzRequest make_request(const ApiDescription& description, const KnownObjects& known,
                         const Receivers& receivers, const FuzzTokens& tokens, std::uint64_t seed,
                         std::uint64_t number) {
    return Making(description, known, receivers, tokens, Dice(seed, number)).make();
}

}  // namespace posthorn::test
