#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "async/loop.hpp"
#include "base/random.hpp"
#include "ingest/batcher.hpp"
#include "support/catch.hpp"
#include "support/store_fixture.hpp"

using namespace posthorn;
using namespace posthorn::ingest;
namespace asio = boost::asio;
using posthorn::test::StoreFixture;

namespace {

constexpr std::chrono::seconds answer_limit{30};

// Records what it is told and holds it to the contract.
class RecordingHandOff final : public HandOff {
public:
    void announce(std::uint64_t batch, std::span<const MessageId> messages) override {
        const std::lock_guard lock(mutex_);
        sound_ = sound_ && open_.emplace(batch, std::vector(messages.begin(), messages.end())).second &&
                 batch > last_;
        last_ = batch;
    }
    void committed(std::uint64_t batch, std::vector<HandedDelivery> deliveries) override {
        const std::lock_guard lock(mutex_);
        const auto at = open_.find(batch);
        sound_ = sound_ && at != open_.end();
        for (auto& one : deliveries) {
            sound_ = sound_ &&
                     std::find(at->second.begin(), at->second.end(), one.message) != at->second.end() &&
                     one.payload;
            handed_.push_back(std::move(one));
        }
        open_.erase(batch);
    }
    void failed(std::uint64_t batch, bool unknown) override {
        const std::lock_guard lock(mutex_);
        sound_ = sound_ && open_.erase(batch) == 1;
        if (unknown) ++unknown_;
    }

    bool sound() const {
        const std::lock_guard lock(mutex_);
        return sound_ && open_.empty();
    }
    std::vector<HandedDelivery> handed() const {
        const std::lock_guard lock(mutex_);
        return handed_;
    }
    int unknown() const {
        const std::lock_guard lock(mutex_);
        return unknown_;
    }
    std::uint64_t batches() const {
        const std::lock_guard lock(mutex_);
        return last_;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::uint64_t, std::vector<MessageId>> open_;
    std::vector<HandedDelivery> handed_;
    std::uint64_t last_ = 0;
    int unknown_ = 0;
    bool sound_ = true;
};

// A writer on a loop of its own and submitters on two others.
class BatcherFixture : public StoreFixture {
public:
    explicit BatcherFixture(BatcherOptions options = {}) : application(make_application()) {
        if (options.database.conninfo.empty()) options.database = connect_options();
        options.database.application_name = "writer";
        batcher = std::make_unique<MessageBatcher>(writer_.executor(), std::move(options), clock_, hand_off);
    }
    ~BatcherFixture() {
        stop();
        for (auto& loop : loops_) loop->join();
        writer_.join();
        batcher.reset();  // while its loop is still there
    }

    void start() {
        ended_ = asio::co_spawn(writer_.executor(), batcher->run(),
                                asio::bind_cancellation_slot(cancel_.slot(), asio::use_future));
    }
    void stop() {
        if (!ended_.valid()) return;
        asio::post(writer_.executor(), [this] { cancel_.emit(asio::cancellation_type::all); });
        CHECK_THROWS_AS(ended_.get(), boost::system::system_error);
    }

    store::NewMessage message(std::optional<std::string> key = std::nullopt,
                              std::optional<std::string> event_id = std::nullopt,
                              std::string hash = "h") const {
        store::NewMessage made;
        made.application = application;
        made.event_type = "a.b";
        made.idempotency_key = std::move(key);
        made.event_id = std::move(event_id);
        made.body_hash = std::move(hash);
        made.payload = std::make_shared<const std::string>("{\"n\":1}");
        return made;
    }
    // The revision of what the event type enforces from now on.
    std::int64_t enforce(const std::string& event_type) const {
        return std::stoll(
            sql(fmt::format("INSERT INTO event_type (id, org_id, name, description, enforce_schema) VALUES "
                            "(gen_random_uuid(), '{}', '{}', '', true) RETURNING schema_revision",
                            to_string(Uuid{}), event_type)));
    }
    std::future<Answer> submit(store::NewMessage made) {
        auto& loop = *loops_[submitted_++ % loops_.size()];
        return asio::co_spawn(loop.executor(), batcher->submit(std::move(made)), asio::use_future);
    }
    std::size_t count(const std::string& rows) const {
        return std::stoul(sql("SELECT count(*) FROM " + rows));
    }

    RecordingHandOff hand_off;
    ApplicationId application;
    std::unique_ptr<MessageBatcher> batcher;

private:
    RealClock clock_;
    Loop writer_{"writer"};
    std::array<std::unique_ptr<Loop>, 2> loops_{std::make_unique<Loop>("one"), std::make_unique<Loop>("two")};
    asio::cancellation_signal cancel_;
    std::future<void> ended_;
    std::size_t submitted_ = 0;
};

Answer answer_of(std::future<Answer>& future) {
    if (future.wait_for(answer_limit) != std::future_status::ready)
        throw std::runtime_error("a submission was not answered");
    return future.get();
}
Answer answer_of(std::future<Answer>&& future) { return answer_of(future); }

MessageId accepted(const Answer& answer) {
    REQUIRE(std::holds_alternative<Accepted>(answer));
    return std::get<Accepted>(answer).id;
}

BatcherOptions with_wait(std::chrono::milliseconds longest_wait) {
    BatcherOptions options;
    options.longest_wait = longest_wait;
    return options;
}

}  // namespace

TEST_CASE("messages from many loops are stored in batches, each once, with what is handed over") {
    BatcherFixture f;
    f.make_endpoint(f.application, 1);
    f.make_endpoint(f.application, 2);
    f.start();
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 3'000; ++i) futures.push_back(f.submit(f.message()));
    std::set<MessageId> ids;
    for (auto& future : futures) ids.insert(accepted(answer_of(future)));
    CHECK(ids.size() == 3'000);
    CHECK(f.count("message") == 3'000);
    f.stop();
    CHECK(f.hand_off.sound());
    CHECK(f.hand_off.batches() < 1'500);
    const auto handed = f.hand_off.handed();
    CHECK(handed.size() == 6'000);
    for (const auto& one : handed)
        if (!ids.contains(one.message) || *one.payload != "{\"n\":1}")
            FAIL("what was handed over is not what was submitted");
    CHECK(f.count("delivery") == 6'000);
}

TEST_CASE("a message that the database refuses fails alone") {
    BatcherFixture f;
    f.make_endpoint(f.application);
    f.sql("ALTER TABLE message ADD CONSTRAINT test_only CHECK (event_type <> 'bad')");
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 100; ++i) {
        auto made = f.message();
        if (i == 37 || i == 38 || i == 99) made.event_type = "bad";
        futures.push_back(f.submit(std::move(made)));
    }
    f.start();
    int failed = 0;
    for (auto& future : futures) try {
            accepted(answer_of(future));
        } catch (const store::DatabaseError& error) {
            CHECK(error.constraint() == "test_only");
            ++failed;
        }
    CHECK(failed == 3);
    CHECK(f.count("message") == 97);
    CHECK(f.count("delivery") == 97);
    f.stop();
    CHECK(f.hand_off.sound());
    CHECK(f.hand_off.unknown() == 0);
    CHECK(f.hand_off.handed().size() == 97);
}

TEST_CASE("submitting the same key again gives the first answer, whether together or later") {
    BatcherFixture f;
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(f.submit(f.message("k")));
    f.start();
    std::set<MessageId> ids;
    for (auto& future : futures) ids.insert(accepted(answer_of(future)));
    ids.insert(accepted(answer_of(f.submit(f.message("k")))));
    CHECK(ids.size() == 1);
    CHECK(answer_of(f.submit(f.message("k", {}, "other"))) == Answer{Refusal::idempotency_key_reused});
    CHECK(f.count("message") == 1);
}

TEST_CASE("an event id is known again under another idempotency key") {
    BatcherFixture f;
    f.start();
    const auto first = accepted(answer_of(f.submit(f.message("k1", "e1"))));
    CHECK(accepted(answer_of(f.submit(f.message("k2", "e1")))) == first);
    CHECK(accepted(answer_of(f.submit(f.message({}, "e1")))) == first);
    CHECK(answer_of(f.submit(f.message("k3", "e1", "other"))) == Answer{Refusal::event_id_taken});
    const auto second = accepted(answer_of(f.submit(f.message("k4", "e2"))));
    CHECK(second != first);
    CHECK(answer_of(f.submit(f.message("k4", "e1"))) == Answer{Refusal::keys_disagree});
    CHECK(accepted(answer_of(f.submit(f.message("k3", "e3", "other")))) !=
          first);  // a refused message keeps no key
    CHECK(f.count("message") == 3);
}

TEST_CASE("messages of one application by id and by uid under crossing keys are sorted out") {
    BatcherFixture f;
    f.sql("UPDATE application SET uid = 'mine'");
    auto by_uid = f.message("k2", "e1");
    by_uid.application = "mine";
    auto first = f.submit(f.message("k1", "e1")), second = f.submit(by_uid), third = f.submit(f.message());
    f.start();
    const auto id = accepted(answer_of(first));
    CHECK(accepted(answer_of(second)) == id);
    CHECK(accepted(answer_of(third)) != id);
    CHECK(f.count("message") == 2);
    f.stop();
    CHECK(f.hand_off.sound());
}

TEST_CASE("an unknown application is told to its submitter alone") {
    BatcherFixture f;
    auto lost = f.message();
    lost.application = "nobody";
    auto refused = f.submit(lost), fine = f.submit(f.message());
    f.start();
    CHECK(answer_of(refused) == Answer{Refusal::unknown_application});
    accepted(answer_of(fine));
    CHECK(f.count("message") == 1);
}

TEST_CASE(
    "a schema that is enforced after a message was held to it, and before its commit, sends it back alone") {
    BatcherFixture f;
    f.make_endpoint(f.application);
    f.start();
    const auto earlier = accepted(answer_of(f.submit(f.message("k"))));
    f.stop();
    auto other = f.message();
    other.event_type = "other";
    auto checked = f.submit(f.message()), repeated = f.submit(f.message("k")),
         keyed = f.submit(f.message("new")), neighbour = f.submit(other);
    const auto revision = f.enforce("a.b");
    f.start();
    CHECK(answer_of(checked) == Answer{Refusal::schema_changed});
    CHECK(answer_of(keyed) == Answer{Refusal::schema_changed});
    CHECK(accepted(answer_of(repeated)) == earlier);
    accepted(answer_of(neighbour));
    auto again = f.message("new");
    again.schema_revision = revision;
    accepted(answer_of(f.submit(again)));
    CHECK(f.count("message") == 3);
    f.stop();
    CHECK(f.hand_off.sound());
    CHECK(f.hand_off.handed().size() == 3);
}

TEST_CASE("a message whose commit is in doubt while its schema changes is not told that it was refused") {
    BatcherFixture f;
    f.start();
    accepted(answer_of(f.submit(f.message())));
    auto locker = f.open();
    f.run(locker->run("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE"));
    auto held = f.submit(f.message());
    while (f.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND "
                 "wait_event_type = 'Lock'") == "0") {
    }
    f.enforce("a.b");
    f.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'writer' AND "
        "datname = "
        "current_database()");
    f.run(locker->run("COMMIT"));
    CHECK(answer_of(held) == Answer{Refusal::unknown});
    f.stop();
    CHECK(f.hand_off.sound());
}

TEST_CASE("nothing accepted is lost or doubled when the writer's connection is killed again and again") {
    BatcherFixture f;
    f.make_endpoint(f.application, 1);
    f.make_endpoint(f.application, 2, "ordered", "true");
    f.start();
    constexpr int count = 4'000;
    std::atomic<int> resent{0};
    // A client that sends again until it is told that the message is stored.
    const auto insist = [&](store::NewMessage made) -> asio::awaitable<Answer> {
        while (true) {
            const auto answer = co_await f.batcher->submit(made);
            if (std::holds_alternative<Accepted>(answer)) co_return answer;
            ++resent;
        }
    };
    std::array<Loop, 2> clients{Loop("c1"), Loop("c2")};
    std::vector<std::future<Answer>> futures;
    std::atomic<bool> done{false};
    const auto killing = std::async(std::launch::async, [&] {
        Random random(1);
        int killed = 0;
        while (!done) {
            killed +=
                std::stoi(f.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
                                "application_name = 'writer' "
                                "AND datname = current_database()"));
            f.sql(fmt::format("SELECT pg_sleep({})", 0.001 * static_cast<double>(random.next() % 40)));
        }
        CHECK(killed > 5);
    });
    for (int i = 0; i < count; ++i) {
        const auto key = i % 2 == 0 ? std::optional(fmt::format("k{}", i)) : std::nullopt;
        futures.push_back(asio::co_spawn(clients[static_cast<std::size_t>(i) % 2].executor(),
                                         insist(f.message(key)), asio::use_future));
        if (i % 100 == 0) f.sql("SELECT pg_sleep(0.01)");
    }
    std::set<MessageId> ids;
    for (auto& future : futures) ids.insert(accepted(answer_of(future)));
    done = true;
    killing.wait();
    CHECK(ids.size() == count);
    CHECK(f.count("idempotency_key") == count / 2);
    std::string list;
    for (const auto& id : ids)
        list += fmt::format("{}('{}'::uuid)", list.empty() ? "" : ",", to_string(id.value));
    const auto stored = "(VALUES " + list + ") a (id) JOIN message m ON m.id = a.id";
    CHECK(f.count(stored) == count);
    CHECK(f.count("message") <= count + static_cast<std::size_t>(resent));
    CHECK(f.count(stored + " WHERE (SELECT count(*) FROM delivery d WHERE d.message_id = m.id) = 2") ==
          count);
    CHECK(f.count("delivery") == 2 * f.count("message"));
    f.stop();
    CHECK(f.hand_off.sound());
}

TEST_CASE("a full queue refuses at once, and who waited too long is never stored") {
    auto options = with_wait(std::chrono::milliseconds(200));
    options.queue = {3, 1'000'000};
    BatcherFixture f(options);
    std::vector<std::future<Answer>> waiting;
    for (int i = 0; i < 3; ++i) waiting.push_back(f.submit(f.message()));
    // Both loops have pushed what came before when their next submission is answered.
    const auto begin = std::chrono::steady_clock::now();
    int full = 0;
    for (int i = 0; i < 4; ++i)
        full += answer_of(f.submit(f.message())) == Answer{Refusal::queue_full} ? 1 : 0;
    CHECK(full >= 3);
    for (auto& one : waiting) answer_of(one);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    f.start();
    auto answer = answer_of(f.submit(f.message()));
    while (answer == Answer{Refusal::queue_full})
        answer = answer_of(f.submit(f.message()));  // until the writer has swept it
    accepted(answer);
    CHECK(f.count("message") == 1);
}

TEST_CASE("while the database is away submitters are told within the bound that nothing is stored") {
    auto options = with_wait(std::chrono::milliseconds(300));
    options.database.conninfo = "host=/nonexistent dbname=x";
    BatcherFixture f(options);
    f.start();
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 50; ++i) futures.push_back(f.submit(f.message()));
    for (auto& future : futures) CHECK(answer_of(future) == Answer{Refusal::not_stored});
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(5));
    f.stop();
    CHECK(f.hand_off.batches() == 0);
}

TEST_CASE("while the database takes no writes submitters are told that nothing is stored, and then it is") {
    BatcherFixture f(with_wait(std::chrono::milliseconds(300)));
    f.allow_writes(false);
    f.start();
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(f.submit(f.message()));
    for (auto& future : futures) {
        const auto answer = answer_of(future);
        CHECK((answer == Answer{Refusal::not_stored} || answer == Answer{Refusal::unknown}));
    }
    f.allow_writes(true);
    while (std::holds_alternative<Refusal>(answer_of(f.submit(f.message())))) {
    }
    CHECK(f.count("message") == 1);
    f.stop();
    CHECK(f.hand_off.sound());
}

TEST_CASE("a database without room refuses for now, and not this message for ever") {
    BatcherFixture f;
    f.sql(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full' USING "
        "ERRCODE = '53100'; END $$; CREATE TRIGGER test_only BEFORE INSERT ON message FOR EACH ROW EXECUTE "
        "FUNCTION no_room()");
    std::vector<std::future<Answer>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(f.submit(f.message()));
    f.start();
    for (auto& future : futures) CHECK(answer_of(future) == Answer{Refusal::not_stored});
    f.sql("DROP TRIGGER test_only ON message");
    accepted(answer_of(f.submit(f.message())));
    CHECK(f.count("message") == 1);
}

TEST_CASE(
    "while the database hangs submitters are told that it is unknown, and sending again stores the message "
    "once") {
    BatcherFixture f(with_wait(std::chrono::milliseconds(300)));
    f.start();
    accepted(answer_of(f.submit(f.message())));
    auto locker = f.open();
    f.run(locker->run("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE"));
    CHECK(answer_of(f.submit(f.message("k"))) == Answer{Refusal::unknown});
    f.run(locker->run("COMMIT"));
    const auto id = accepted(answer_of(f.submit(f.message("k"))));
    CHECK(f.count("message") == 2);
    CHECK(f.count("message WHERE id = '" + to_string(id.value) + "'") == 1);
    f.stop();
    CHECK(f.hand_off.sound());
}

TEST_CASE("a writer that is stopped in the middle leaves no submitter and no announcement without an end") {
    BatcherFixture f;
    f.start();
    accepted(answer_of(f.submit(f.message())));
    auto locker = f.open();
    f.run(locker->run("BEGIN; LOCK TABLE message IN ACCESS EXCLUSIVE MODE"));
    auto held = f.submit(f.message());
    while (f.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'writer' AND "
                 "wait_event_type = 'Lock'") == "0") {
    }
    f.stop();
    CHECK(answer_of(held) == Answer{Refusal::unknown});
    CHECK(f.hand_off.sound());
    CHECK(f.hand_off.unknown() == 1);
}
