#include "base/id.hpp"

#include "base/random.hpp"
#include "support/catch.hpp"

using namespace posthorn;
using namespace std::chrono_literals;

TEST_CASE("an id is written as TypeID writes it") {
    const Uuid value{
        {0x01, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 0xce, 0xb3, 0x02, 0x09, 0x9a, 0x80, 0x57}};
    CHECK(MessageId{value}.str() == "msg_01h455vb4pex5vsknk084sn02q");
    CHECK(MessageId::parse("msg_01h455vb4pex5vsknk084sn02q") == MessageId{value});
    CHECK(EndpointId{}.str() == "ep_00000000000000000000000000");
}

TEST_CASE("an id's text gives back every bit of it") {
    Random random(7);
    for (int round = 0; round < 1'000; ++round) {
        EndpointId id;
        for (auto& byte : id.value.bytes) byte = static_cast<std::uint8_t>(random.next());
        CHECK(EndpointId::parse(id.str()) == id);
    }
}

TEST_CASE("ids and their texts sort alike, by time") {
    const SystemTime start{1'764'000'000'000ms};
    MessageId last = MessageId::make(start);
    for (int i = 1; i < 200; ++i) {
        const MessageId next = MessageId::make(start + i * 997us);
        CHECK(last < next);
        CHECK(last.str() < next.str());
        last = next;
    }
}

TEST_CASE("an id of another kind, length or alphabet is refused") {
    for (const char* text : {"", "msg", "msg_", "01h455vb4pex5vsknk084sn02q", "ep_01h455vb4pex5vsknk084sn02q",
                             "msg-01h455vb4pex5vsknk084sn02q", "msg_01h455vb4pex5vsknk084sn02",
                             "msg_01h455vb4pex5vsknk084sn02q0", "MSG_01h455vb4pex5vsknk084sn02q",
                             "msg_01H455VB4PEX5VSKNK084SN02Q", "msg_01i455vb4pex5vsknk084sn02q",
                             "msg_01l455vb4pex5vsknk084sn02q", "msg_01o455vb4pex5vsknk084sn02q",
                             "msg_01u455vb4pex5vsknk084sn02q", "msg_81h455vb4pex5vsknk084sn02q",
                             "msg_01h455vb4pex5vsknk084sn02 "}) {
        CAPTURE(text);
        CHECK_FALSE(MessageId::parse(text).has_value());
    }
    CHECK(MessageId::parse("msg_7zzzzzzzzzzzzzzzzzzzzzzzzz").has_value());
}
