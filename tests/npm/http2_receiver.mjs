// A subscriber over TLS that speaks HTTP/2, and HTTP/1.1 to who does not offer it: http2_receiver.mjs KEY CERTIFICATE
// The first line printed is the port; then a line of JSON for each request. By its path a request is answered 204, or, the first
// time it comes: /fail with 500, /reset with RST_STREAM, /goaway with GOAWAY and the end of the connection.
import { readFileSync } from "node:fs";
import { constants, createSecureServer } from "node:http2";

const [key, cert] = process.argv.slice(2).map((path) => readFileSync(path));
const server = createSecureServer({ key, cert, allowHTTP1: true });
const seen = new Set();
const sessions = new Map();

function answer(request, response) {
  const misbehave = !seen.has(request.url);
  seen.add(request.url);
  if (misbehave && request.url === "/reset") return response.stream.close(constants.NGHTTP2_REFUSED_STREAM);
  if (misbehave && request.url === "/goaway") {
    request.stream.session.goaway(constants.NGHTTP2_NO_ERROR);
    return request.stream.session.destroy();
  }
  response.writeHead(misbehave && request.url === "/fail" ? 500 : 204).end();
}

server.on("request", (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { socket, httpVersion: version, url: path, method, headers } = request;
    if (!sessions.has(socket.remotePort)) sessions.set(socket.remotePort, sessions.size);
    const connection = sessions.get(socket.remotePort);
    console.log(JSON.stringify({ version, path, method, headers, body: Buffer.concat(chunks).toString(), connection }));
    answer(request, response);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
