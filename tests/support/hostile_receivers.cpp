#include "support/hostile_receivers.hpp"

#include <chrono>

#include "base/encoding.hpp"

namespace posthorn::egress::test {

using namespace std::chrono_literals;
using namespace std::string_literals;

namespace {

using Receivers = std::vector<HostileReceiver>;
using Script = ScriptedServer::Script;
using Meets = HostileReceiver::Meets;

constexpr auto drip = 1s;
constexpr auto quick_drip = 20ms;

// 289 bytes: a gzip member within a gzip member within a third, and the innermost has a comment of 1.5 GB in
// its header. Whoever unpacks it sees no byte of content for many seconds.
const std::string& gzip_bomb() {
    static const std::string bytes = *base64_decode(
        "H4sIAAAAAAACA5Pv5mAAASbmt3f0/acySrQ/nG7fuLNTQkdKwdpsqUWXtNhmx+aTFzXU7Bl40o0yDp71VforcvaWz7k2tZ8MInOt"
        "TxbeeZi853vpUnX7j+Lvvl7XPnzn0aWf09euPnx3amLRn4dHD+7dL23Of7/m18/f138fZQTaJbG9/Pv263r99r/PT58Psjy5PLlq"
        "W/FO1pq5tXv+3bAHiiR8qdsTEzUjn1F68+X2/j3MQCG3/O+3Xn2q4bb48f3NNeb3QJGGi9WqEiD9mk0gYwWUwRxdMOeCEhJnVGZU"
        "ZlRmVGZUZlRmVGZUZojIuF/evP2zZsLz32++3E4BCix49vnt5LPdL6daV/v/Z14oWmukbi/GAADED0CfwgkAAA==");
    return bytes;
}

Script answers(std::string bytes) {
    return [bytes = std::move(bytes)](Peer& peer) {
        if (peer.read_request()) peer.send(bytes);
    };
}
Script answers_and_resets(std::string bytes) {
    return [bytes = std::move(bytes)](Peer& peer) {
        if (peer.read_request()) peer.send(bytes);
        peer.reset();
    };
}
// `first`, then `more` for ever, with a pause before each.
Script goes_on(std::string first, std::string more, std::chrono::milliseconds pause = 0ms) {
    return [=](Peer& peer) {
        if (!peer.read_request() || !peer.send(first)) return;
        while (peer.idle(pause))
            if (!peer.send(more)) return;
    };
}
std::string answer(const std::string& status_and_headers, const std::string& body = "") {
    return "HTTP/1.1 " + status_and_headers + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}
std::string chunk(const std::string& bytes) {
    std::string size;
    for (auto left = bytes.size(); left > 0; left /= 16)
        size.insert(size.begin(), "0123456789abcdef"[left % 16]);
    return size + "\r\n" + bytes + "\r\n";
}
const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

const std::vector<Failure> answered{Failure::none};
const std::vector<Failure> timeout{Failure::timeout};
const std::vector<Failure> protocol{Failure::protocol};
const std::vector<Failure> tls{Failure::tls};

void stays(Peer& peer) {
    while (peer.idle(1s)) continue;
}

Receivers slow_ones() {
    return {
        {"accepts and never reads", &stays, timeout},
        {"reads and never answers", [](Peer& peer) { peer.wait_for_end(); }, timeout},
        {"one byte a second in the status line", goes_on("HTTP/1.1 200 ", "y", drip), timeout},
        {"one byte a second in the headers", goes_on("HTTP/1.1 200 OK\r\nx: ", "y", drip), timeout},
        {"one byte a second in the body",
         goes_on("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "y", drip), timeout},
        {"one chunk after the other, slowly", goes_on(chunked, chunk("y"), quick_drip), timeout},
        {"an interim answer after the other, slowly",
         goes_on("", "HTTP/1.1 102 Processing\r\n\r\n", quick_drip), timeout},
    };
}

Receivers endless_ones() {
    const std::string line(1'000, 'y');
    return {
        {"an endless body", goes_on("HTTP/1.1 200 OK\r\n\r\n", line), answered, 200, line},
        {"an endless body in chunks", goes_on(chunked, chunk(line)), answered, 200, line},
        {"a body of 10^18 bytes",
         goes_on("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n", line), answered, 200,
         line},
        {"endless interim answers", goes_on("", "HTTP/1.1 102 Processing\r\n\r\n"), protocol},
        {"endless headers", goes_on("HTTP/1.1 200 OK\r\n", "x: " + line + "\r\n"), protocol},
        {"an endless header", goes_on("HTTP/1.1 200 OK\r\nx: ", line), protocol},
        {"an endless status line", goes_on("HTTP/1.1 200 ", line), protocol},
        {"one header of 40 KB", answers(answer("200 OK\r\nx: " + std::string(40'000, 'y'))), protocol},
        {"endless trailers", goes_on(chunked + "0\r\n", "x: " + line + "\r\n"), protocol},
        // Cut off after some MiB: among all the others these may take longer than the deadline.
        {"an endless chunk extension",
         goes_on(chunked + "1;", std::string(65'536, 'y')),
         {Failure::protocol, Failure::timeout}},
        {"an endless chunk size", goes_on(chunked, "00000000"), protocol},
        {"endless bytes of no protocol", goes_on("", std::string(1'000, '\0')), protocol},
    };
}

Receivers compressing_ones() {
    const auto bomb = [](const std::string& headers) {
        return "HTTP/1.1 200 OK\r\n" + headers + "\r\n\r\n" + chunk(gzip_bomb()) + "0\r\n\r\n";
    };
    return {
        {"a gzip bomb as content", answers(answer("200 OK\r\nContent-Encoding: gzip", gzip_bomb())), answered,
         200, gzip_bomb()},
        {"a gzip bomb on the way", answers(bomb("Transfer-Encoding: gzip, gzip, gzip, gzip, chunked")),
         protocol},
        {"a gzip bomb on the way, in separate lines",
         answers(bomb("transfer-encoding: gzip\r\nTransfer-Encoding:gzip\r\nTRANSFER-ENCODING: chunked")),
         protocol},
        {"a gzip bomb on the way, in a folded line",
         answers(bomb("Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\tgzip, gzip")), protocol},
        {"a gzip bomb in the end",
         answers("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + gzip_bomb()), protocol},
    };
}

Receivers resetting_ones() {
    const auto resets = [](Peer& peer) { peer.reset(); };
    const auto closes = [](Peer&) {};
    const auto part = answer("200 OK", "a body");
    return {
        {"a reset after the connection", resets, {Failure::protocol, Failure::connect}},
        {"an end after the connection", closes, protocol},
        {"a reset after the request's head",
         [](Peer& peer) {
             peer.read_head();
             peer.reset();
         },
         protocol},
        {"a reset after the request", answers_and_resets(""), protocol},
        {"a reset in the status line", answers_and_resets("HTTP/1.1 2"), protocol},
        {"a reset in the headers", answers_and_resets("HTTP/1.1 200 OK\r\nx: y\r\n"), protocol},
        {"a reset in the body", answers_and_resets(part.substr(0, part.size() - 2)), protocol},
        {"a reset in a chunk", answers_and_resets(chunked + "5\r\nab"), protocol},
        {"an end in the headers", answers("HTTP/1.1 200 OK\r\nx: y\r\n"), protocol},
        {"an end in the body", answers(part.substr(0, part.size() - 2)), protocol},
        {"an end after an interim answer", answers("HTTP/1.1 100 Continue\r\n\r\n"), protocol},
        {"an answer before the request was read, then a reset",
         [](Peer& peer) {
             peer.send(answer("413 Content Too Large"));
             peer.reset();
         },
         {Failure::none, Failure::protocol, Failure::connect},
         413},
    };
}

Receivers garbled_ones() {
    const std::string strange("\0\x01\xFF\xFE\xC0\x80\xED\xA0\x80 end", 13);
    return {
        {"another protocol", answers("SSH-2.0-OpenSSH_9.2p1\r\n"), protocol},
        {"HTTP/0.9", answers("<html>hello</html>"), protocol},
        {"HTTP/2 unasked", answers("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), protocol},
        {"an HTTP/2 frame", answers("\0\0\0\4\0\0\0\0\0"s), protocol},
        {"no number in the status line", answers("HTTP/1.1 abc\r\n\r\n"), protocol},
        {"a status of four digits", answers("HTTP/1.1 2000 OK\r\n\r\n"), protocol},
        {"a status of two digits", answers("HTTP/1.1 20 OK\r\n\r\n"), protocol},
        {"a negative status", answers("HTTP/1.1 -200 OK\r\n\r\n"), protocol},
        {"status 0", answers("HTTP/1.1 000 OK\r\n\r\n"), protocol},
        {"an unknown version", answers("HTTP/7.3 200 OK\r\n\r\n"), protocol},
        {"a status that nobody knows", answers(answer("999 ?", "what")), answered, 999, "what"},
        {"a change of the protocol", answers("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nx"),
         protocol},
        {"headers that are none",
         answers(answer("500 \x1b[31m\r\nno colon\r\n: no name\r\n=?x?=\r\n\xFF\xFE: \xC0\x80", "b")),
         {Failure::none, Failure::protocol},
         500,
         "b"},
        {"a NUL in a header",
         answers(answer("500 Oops\r\nx: a\0b"s, "b")),
         {Failure::none, Failure::protocol},
         500,
         "b"},
        {"no length that is a number", answers("HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\nx"), protocol},
        {"a negative length", answers("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx"), protocol},
        {"a broken chunk", answers(chunked + "xyz\r\n"), protocol},
        {"NUL and no UTF-8 in the body", answers(answer("500 Oops", strange)), answered, 500, strange},
    };
}

Receivers misleading_ones() {
    const auto waits = [](const std::string& retry_after) {
        return answers(answer("503 Busy\r\nRetry-After: " + retry_after, "busy"));
    };
    const auto redirects = [](const std::string& status) {
        return answers(answer(status + "\r\nLocation: http://169.254.169.254/latest/meta-data/", "moved"));
    };
    return {
        {"Retry-After: garbage", waits("soon\xFF"), answered, 503, "busy"},
        {"Retry-After: negative", waits("-86400"), answered, 503, "busy"},
        {"Retry-After: a past date", waits("Sun, 06 Nov 1994 08:49:37 GMT"), answered, 503, "busy"},
        {"Retry-After: a far date", waits("Fri, 31 Dec 9999 23:59:59 GMT"), answered, 503, "busy"},
        {"Retry-After: enormous", waits(std::string(400, '9')), answered, 503, "busy"},
        {"a redirect to the metadata (301)", redirects("301 Moved"), answered, 301, "moved"},
        {"a redirect to the metadata (302)", redirects("302 Found"), answered, 302, "moved"},
        {"a redirect to the metadata (307)", redirects("307 Temporary"), answered, 307, "moved"},
    };
}

Receivers insecure_ones() {
    const auto hello = answers(answer("200 OK"));
    return {
        {"a certificate that has expired", hello, tls, 0, "", Meets::expired},
        {"a certificate of another host", hello, tls, 0, "", Meets::other_host},
        {"a certificate that it signed itself", hello, tls, 0, "", Meets::self_signed},
        {"TLS 1.1 at most", hello, tls, 0, "", Meets::tls_1_1},
        {"a handshake that stands still", &stays, timeout, 0, "", Meets::silent_tls},
        {"a reset in the handshake",
         [](Peer& peer) {
             peer.read_some();
             peer.reset();
         },
         tls, 0, "", Meets::silent_tls},
        {"plain HTTP in the handshake", [](Peer& peer) { peer.send(answer("400 Bad Request")); }, tls, 0, "",
         Meets::silent_tls},
        {"a reset after the handshake", answers_and_resets(""), protocol, 0, "", Meets::tls},
        {"one byte a second over TLS", goes_on("HTTP/1.1 200 OK\r\nx: ", "y", drip), timeout, 0, "",
         Meets::tls},
    };
}

TlsContext context_for(Meets meets, const CertificateAuthority& authority) {
    const std::string names = "IP:127.0.0.1";
    switch (meets) {
        case Meets::plain:
        case Meets::silent_tls:
            return {nullptr, &SSL_CTX_free};
        case Meets::tls:
            return authority.server_context(names);
        case Meets::expired:
            return authority.server_context(names, true);
        case Meets::other_host:
            return authority.server_context("DNS:elsewhere.test,IP:127.0.0.2");
        case Meets::self_signed:
            return CertificateAuthority::self_signed_context(names);
        case Meets::tls_1_1:
            return outdated(authority.server_context(names));
    }
    return {nullptr, &SSL_CTX_free};
}

}  // namespace

const Receivers& hostile_receivers() {
    static const Receivers all = [] {
        Receivers list;
        for (auto* some : {&slow_ones, &endless_ones, &compressing_ones, &resetting_ones, &garbled_ones,
                           &misleading_ones, &insecure_ones})
            for (auto& receiver : some()) list.push_back(std::move(receiver));
        return list;
    }();
    return all;
}

HostileServer::HostileServer(const HostileReceiver& receiver, const CertificateAuthority& authority)
    : tls_(context_for(receiver.meets, authority)),
      https_(receiver.meets != Meets::plain),
      server_(std::make_unique<ScriptedServer>(receiver.script, tls_.get())) {}

std::string HostileServer::url() const {
    return std::string(https_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(server_->port()) +
           "/hook";
}

}  // namespace posthorn::egress::test
