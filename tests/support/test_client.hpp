#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthorn::http::test {

struct Answer {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;

    std::string field(std::string_view name) const;  // empty if there is none
    bool closes() const { return field("Connection") == "close"; }
};

enum class Body { expected, none };  // none: of an answer to HEAD

// A plain blocking client, so that what goes over the wire is exactly what the test says. Every wait ends
// after the patience given with std::system_error.
class TestClient {
public:
    explicit TestClient(std::uint16_t port, std::chrono::seconds patience = std::chrono::seconds(5));
    TestClient(TestClient&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
    TestClient(const TestClient&) = delete;
    TestClient& operator=(const TestClient&) = delete;
    ~TestClient();

    void send(std::string_view bytes);
    void send_byte_by_byte(std::string_view bytes);
    void finish_sending();

    Answer receive(Body body = Body::expected);
    Answer exchange(std::string_view request);
    bool is_closed();  // waits for the server's end of the connection; false if bytes arrive instead
    std::string receive_line();
    bool receives_within(std::chrono::milliseconds time);

private:
    bool receive_more();

    int socket_;
    std::string received_;
};

std::string get(std::string_view target, std::string_view more_fields = "");
std::string post(std::string_view target, std::string_view body, std::string_view more_fields = "");

}  // namespace posthorn::http::test
