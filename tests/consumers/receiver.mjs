// Receives webhooks: WEBHOOK_SECRET=whsec_... node receiver.mjs PORT
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const toleranceSeconds = 5 * 60;
const longestBody = 1024 * 1024;
const key = Buffer.from(process.env.WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64");
if (key.length < 24) throw new Error("WEBHOOK_SECRET is not whsec_ and base64");

function isGenuine(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures } = headers;
  if (!id || !signatures || !/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > toleranceSeconds) return false;
  const digest = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  const expected = Buffer.from(`v1,${digest}`);
  // While a secret is rotated there are several signatures: one that matches is enough.
  return signatures.split(" ").some((text) => {
    const given = Buffer.from(text);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

async function read(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > longestBody) return null;
    parts.push(part);
  }
  return Buffer.concat(parts); // the bytes as they came: parsed JSON could not be verified any more
}

const server = createServer(async (request, response) => {
  try {
    const body = await read(request);
    if (!body || !isGenuine(request.headers, body)) return response.writeHead(400).end();
    // Here: store webhook-id and body, unless the id is there already; work on it after the answer.
    response.writeHead(204).end();
  } catch {
    response.destroy(); // the sender went away
  }
});
server.listen(Number(process.argv[2]), "127.0.0.1");
