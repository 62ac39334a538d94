#include "ingest/queue.hpp"

#include <string>
#include <unordered_set>

namespace posthorn::ingest {

namespace {

// The keys of one batch. Hashes do: taking two for the same only makes the later one wait.
class TakenKeys {
public:
    // False if one of the message's keys is there already; then none is added.
    bool add(const store::NewMessage& message) {
        const auto by_header = hash(message, 'h', message.idempotency_key),
                   by_event_id = hash(message, 'e', message.event_id);
        if ((by_header && hashes_.contains(*by_header)) || (by_event_id && hashes_.contains(*by_event_id)))
            return false;
        if (by_header) hashes_.insert(*by_header);
        if (by_event_id) hashes_.insert(*by_event_id);
        return true;
    }

private:
    static std::optional<std::size_t> hash(const store::NewMessage& message, char kind,
                                           const std::optional<std::string>& key) {
        if (!key) return std::nullopt;
        std::string text = *key + kind;
        const auto append = [&](const Uuid& id) {
            text.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
        };
        append(message.organization.value);
        if (const auto* id = std::get_if<ApplicationId>(&message.application))
            append(id->value);
        else
            text += std::get<std::string>(message.application);
        return std::hash<std::string>{}(text);
    }

    std::unordered_set<std::size_t> hashes_;
};

}  // namespace

SubmissionQueue::Pushed SubmissionQueue::push(std::shared_ptr<Ticket> ticket) {
    const std::lock_guard lock(mutex_);
    if (tickets_.size() >= bounds_.messages || bytes_ + ticket->bytes() > bounds_.bytes) return Pushed::full;
    bytes_ += ticket->bytes();
    tickets_.push_back(std::move(ticket));
    return std::exchange(writer_sleeps_, false) ? Pushed::wakes_the_writer : Pushed::waits;
}

Tickets SubmissionQueue::take(Bounds batch) {
    const std::lock_guard lock(mutex_);
    Tickets taken, passed_over;
    TakenKeys keys;
    std::size_t bytes = 0;
    // Not too many are passed over: a flood of one key must not make every batch walk the whole queue.
    while (!tickets_.empty() && taken.size() < batch.messages && passed_over.size() < batch.messages) {
        auto ticket = std::move(tickets_.front());
        tickets_.pop_front();
        const bool fits = taken.empty() || bytes + ticket->bytes() <= batch.bytes;
        if (fits && !ticket->withdrawn() && !keys.add(ticket->message)) {
            passed_over.push_back(std::move(ticket));
            continue;
        }
        if (!fits) {
            tickets_.push_front(std::move(ticket));
            break;
        }
        bytes_ -= ticket->bytes();
        if (!ticket->begin()) continue;
        bytes += ticket->bytes();
        taken.push_back(std::move(ticket));
    }
    tickets_.insert(tickets_.begin(), passed_over.begin(), passed_over.end());
    writer_sleeps_ = taken.empty();
    return taken;
}

void SubmissionQueue::put_back(const Tickets& tickets) {
    const std::lock_guard lock(mutex_);
    for (const auto& ticket : tickets) bytes_ += ticket->bytes();
    tickets_.insert(tickets_.begin(), tickets.begin(), tickets.end());
}

void SubmissionQueue::drop_withdrawn() {
    const std::lock_guard lock(mutex_);
    std::erase_if(tickets_, [&](const auto& ticket) {
        if (!ticket->withdrawn()) return false;
        bytes_ -= ticket->bytes();
        return true;
    });
}

std::size_t SubmissionQueue::size() const {
    const std::lock_guard lock(mutex_);
    return tickets_.size();
}

}  // namespace posthorn::ingest
