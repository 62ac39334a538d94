#include "fault/checker.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "fault/event.hpp"
#include "fault/rows.hpp"

namespace posthorn::fault {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t most_violations = 40;  // that are told one by one
// An outcome is stored this long after its request was answered, at most, while nothing is disturbed.
constexpr milliseconds settling{2'000};
// What had been sent before may be read only now, by a receiver that is late.
constexpr milliseconds late_reading{250};
constexpr milliseconds take_over_limit{6'000}, looking{300};
constexpr milliseconds before_a_kill{1'500};  // what was over by then does not disturb the take-over

// One that was never undone lasted to the end.
std::vector<Window> ended_windows(const FaultLog& log) {
    auto windows = log.windows();
    for (auto& window : windows) window.until = std::min(window.until, std::chrono::steady_clock::now());
    return windows;
}

}  // namespace

Checker::Checker(Evidence evidence) : evidence_(std::move(evidence)), windows_(ended_windows(evidence_.log)) {
    auto& arrivals = evidence_.arrivals;
    std::sort(arrivals.begin(), arrivals.end(),
              [](const Arrival& a, const Arrival& b) { return a.at < b.at; });
    for (const auto& arrival : arrivals) by_key_[{arrival.endpoint, arrival.number}].push_back(arrival);
}

void Checker::check() {
    read_database();
    check_acknowledgements();
    check_arrivals();
    check_messages();
    check_ends();
    check_duplicates();
    check_order();
    check_closures();
    check_take_overs();
}

void Checker::violated(std::string what) {
    ++found_;
    if (violations_.size() < most_violations) violations_.push_back(std::move(what));
}

std::string Checker::text(const Key& key) const {
    return fmt::format("event {} for \"{}\"", key.second, endpoint_plans.at(key.first).name);
}

std::string Checker::text(const Arrival& arrival) const {
    return fmt::format("{:.3f} s: {}, {}{}", evidence_.log.seconds(arrival.at),
                       text(Key{arrival.endpoint, arrival.number}), MessageId{arrival.message}.str(),
                       arrival.taken ? "" : ", refused");
}

// ---- what the database holds

std::optional<Checker::Key> Checker::key_in(const std::vector<std::string>& row) const {
    const auto& endpoints = evidence_.backend.endpoints();
    const auto endpoint = std::find(endpoints.begin(), endpoints.end(), EndpointId{uuid_in(row.at(0))});
    const auto number = numbers_.find(uuid_in(row.at(1)));
    if (endpoint == endpoints.end() || number == numbers_.end()) return std::nullopt;
    return Key{static_cast<std::size_t>(endpoint - endpoints.begin()), number->second};
}

void Checker::read_database() {
    const auto rows = [&](const std::string& sql) { return read_rows(evidence_.database, sql); };
    for (const auto& row :
         rows("SELECT id, encode(substring(payload FROM 1 FOR 16), 'escape') FROM message")) {
        const auto number = number_in(row.at(1));
        if (!number) continue;
        numbers_[uuid_in(row.at(0))] = *number;
        ++messages_[*number];
    }
    for (const auto& row :
         rows("SELECT endpoint_id, message_id, count(*) FILTER (WHERE succeeded), count(*) FILTER (WHERE "
              "status_code = 0), min(run_id) FROM attempt GROUP BY 1, 2"))
        if (const auto key = key_in(row))
            logged_[*key] = {std::stoi(row.at(2)), std::stoi(row.at(3)), std::stoll(row.at(4))};
    for (const auto& row : rows("SELECT endpoint_id, message_id, reason FROM dead_letter"))
        if (const auto key = key_in(row)) dead_letters_[*key] = std::stoi(row.at(2));
    for (const auto& row : rows("SELECT endpoint_id, message_id, attempt FROM delivery"))
        live_.push_back(fmt::format("{} for {}, attempt {}", row.at(1), row.at(0), row.at(2)));
}

// ---- I1, I2

void Checker::check_acknowledgements() {
    std::vector<SteadyTime> times;
    for (std::uint32_t number = 0; number < evidence_.backend.sent(); ++number) {
        const auto& event = evidence_.backend.events()[number];
        if (event.acknowledged)
            times.push_back(*event.acknowledged);
        else
            violated(fmt::format("event {} was never acknowledged", number));
    }
    acknowledged_ = times.size();
    std::sort(times.begin(), times.end());
    for (std::size_t i = 1; i < times.size(); ++i)
        longest_gap_ = std::max<Duration>(longest_gap_, times[i] - times[i - 1]);
}

void Checker::check_messages() {
    for (const auto& [number, count] : messages_)
        if (count > 1) violated(fmt::format("I2: {} messages of event {}", count, number));
    for (std::uint32_t number = 0; number < evidence_.backend.sent(); ++number) {
        const auto& event = evidence_.backend.events()[number];
        if (!event.acknowledged) continue;
        const auto kept = numbers_.find(event.message.value);
        if (kept == numbers_.end() || kept->second != number)
            violated(fmt::format("I1: acknowledged at {:.3f} s and not in the database: event {}, {}",
                                 evidence_.log.seconds(*event.acknowledged), number, event.message.str()));
    }
}

// ---- I11, I12

void Checker::check_arrivals() {
    for (const auto& arrival : evidence_.arrivals) {
        if (!arrival.right_signature) violated("I11: a wrong signature: " + text(arrival));
        if (!arrival.right_bytes) violated("I12: other bytes: " + text(arrival));
        const auto& events = evidence_.backend.events();
        if (arrival.number >= events.size()) {
            violated("nobody sent this: " + text(arrival));
            continue;
        }
        const auto& event = events[arrival.number];
        if (event.acknowledged && event.message.value != arrival.message)
            violated("I2: sent under another id than was acknowledged: " + text(arrival));
    }
}

// ---- I3, I10

void Checker::check_ends() {
    for (const auto& one : live_) violated("I3: has not ended: " + one);
    for (std::uint32_t number = 0; number < evidence_.backend.sent(); ++number) {
        if (!evidence_.backend.events()[number].acknowledged) continue;
        const auto type = type_of(evidence_.seed, number);
        for (std::size_t endpoint = 0; endpoint < endpoint_plans.size(); ++endpoint)
            if (is_wanted_by(endpoint, type)) check_end({endpoint, number});
    }
}

void Checker::check_end(const Key& key) {
    int taken = 0;
    const auto arrivals = by_key_.find(key);
    if (arrivals != by_key_.end())
        taken = static_cast<int>(std::count_if(arrivals->second.begin(), arrivals->second.end(),
                                               [](const Arrival& one) { return one.taken; }));
    const auto letter = dead_letters_.find(key);
    const bool given_up = letter != dead_letters_.end();
    const auto logged = logged_.find(key);
    const int successes = logged == logged_.end() ? 0 : logged->second.successes;
    if (taken > 0) ++deliveries_;
    if (given_up && key.first != switched)
        violated(fmt::format("I3: a dead letter (reason {}): {}", letter->second, text(key)));
    if (taken == 0 && !given_up && (key.first != switched || !may_be_missing(key.second)))
        violated("I1: never received and no dead letter: " + text(key));
    if (successes > taken) violated("I10: more successes logged than there were: " + text(key));
    if (taken > 0 && successes == 0 && !given_up) violated("I10: no success is logged: " + text(key));
}

// By the switched endpoint: it may have been disabled when the event was accepted.
bool Checker::may_be_missing(std::uint32_t number) const {
    const auto& event = evidence_.backend.events()[number];
    const auto& closures = evidence_.backend.closures();
    return std::any_of(closures.begin(), closures.end(), [&](const Closure& one) {
        return one.asked <= *event.acknowledged && one.reopened >= *event.first_sent;
    });
}

// ---- I5

bool Checker::is_disturbed(SteadyTime from, SteadyTime until, const Window* but) const {
    return std::any_of(windows_.begin(), windows_.end(), [&](const Window& window) {
        const bool disturbs = may_repeat_a_request(window.kind) || concerns_the_database(window.kind);
        const bool same = but != nullptr && window.from == but->from && window.kind == but->kind;
        return disturbs && !same && window.from <= until && window.until >= from;
    });
}

void Checker::check_duplicates() {
    for (const auto& [key, arrivals] : by_key_) {
        std::vector<const Window*> used;
        const auto logged = logged_.find(key);
        int unanswered = logged == logged_.end() ? 0 : logged->second.unanswered;
        const Arrival* taken = nullptr;
        for (const auto& arrival : arrivals) {
            if (taken != nullptr) check_repetition(*taken, arrival, used, unanswered);
            if (arrival.taken) taken = &arrival;
        }
    }
}

// After a request that was taken the next one needs a fault that met the first before its outcome was stored;
// each fault counts once.
void Checker::check_repetition(const Arrival& before, const Arrival& after, std::vector<const Window*>& used,
                               int& unanswered) {
    for (const auto& window : windows_) {
        const bool met = window.from <= before.at + settling && window.until + settling >= before.at &&
                         window.from <= after.at;
        if (!met || !may_repeat_a_request(window.kind) ||
            std::find(used.begin(), used.end(), &window) != used.end())
            continue;
        used.push_back(&window);
        ++duplicates_[std::string(name_of(window.kind))];
        return;
    }
    if (unanswered-- > 0) {
        ++duplicates_["no answer in time"];
        return;
    }
    ++duplicates_["none"];
    violated("I5: sent again without a cause: " + text(before) + "; then " + text(after));
}

// ---- I7

void Checker::check_order() {
    std::vector<std::pair<std::int64_t, std::uint32_t>> order;  // by the run: the order of the endpoint
    for (const auto& [key, logged] : logged_)
        if (key.first == ordered) order.emplace_back(logged.run, key.second);
    std::sort(order.begin(), order.end());
    std::map<std::uint32_t, std::size_t> places;
    for (const auto& [run, number] : order) places.emplace(number, places.size());
    std::size_t ended = 0;  // all before this place
    for (const auto& arrival : evidence_.arrivals) {
        const auto place = places.find(arrival.number);
        if (arrival.endpoint != ordered || place == places.end()) continue;
        if (place->second > ended) violated("I7: an earlier one has not ended: " + text(arrival));
        if (arrival.taken) ended = std::max(ended, place->second + 1);
    }
}

// ---- I6

void Checker::check_closures() {
    for (const auto& closure : evidence_.backend.closures())
        for (const auto& arrival : evidence_.arrivals)
            if (arrival.endpoint == switched && arrival.at > closure.answered + late_reading &&
                arrival.at < closure.reopened_asked)
                violated(fmt::format("I6: the disabling was answered at {:.3f} s: {}",
                                     evidence_.log.seconds(closure.answered), text(arrival)));
}

// ---- I3: what a killed process owned is another's within 6 s

void Checker::check_take_overs() {
    for (const auto& window : windows_) {
        if (window.kind != Kind::kill) continue;
        for (const auto& owner : evidence_.owners) {
            if (owner.host != window.target || owner.first_seen > window.from ||
                owner.last_seen < window.from ||
                is_disturbed(window.from - before_a_kill, owner.last_seen, &window))
                continue;
            const auto took = owner.last_seen - window.from;
            ++take_overs_.measured;
            take_overs_.slowest = std::max<Duration>(take_overs_.slowest, took);
            if (took > take_over_limit + looking)
                violated(fmt::format("I3: {} was killed at {:.3f} s and owned shards until {:.3f} s",
                                     window.target, evidence_.log.seconds(window.from),
                                     evidence_.log.seconds(owner.last_seen)));
        }
    }
}

}  // namespace posthorn::fault
