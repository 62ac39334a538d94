// What the suite shares: the official packages, the server under test, subscribers, and a record of every operation that was called.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { ApiException, Svix, Webhook } = require("svix");
const { Webhook: StandardWebhook } = require("standardwebhooks");

export { ApiException, Svix, Webhook };
export const url = process.env.POSTHORN_URL;
export const token = process.env.POSTHORN_TOKEN;

const called = new Set();
const idSegment = /^(app|ep|msg|atmpt)_[0-9a-z]{26}$/;

// Every call goes through here, and is a JSON answer or an empty one, as the compatible API has it.
async function recordingFetch(target, init) {
  const response = await fetch(target, init);
  called.add(`${init?.method ?? "GET"} ${new URL(target).pathname}`);
  const text = await response.clone().text();
  if (response.status === 204) {
    if (text !== "") throw new Error(`204 with a body from ${target}`);
  } else if (init?.method !== "HEAD") {
    if (!response.headers.get("content-type")?.startsWith("application/json"))
      throw new Error(`${response.status} without JSON from ${target}`);
    JSON.parse(text);
  }
  return response;
}

export const svix = new Svix(token, { serverUrl: url, fetch: recordingFetch, numRetries: 0 });

// A call that the SDK has no method for, or whose bare answer is looked at.
export async function call(method, path, body, headers = {}) {
  const response = await recordingFetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text), headers: response.headers };
}

// Whether the operation (its path with {parameters}) was called.
export function wasCalled(method, template) {
  const pattern = template.split("/").map((part) => (part.startsWith("{") ? "[^/]+" : part)).join("/");
  const regex = new RegExp(`^${method} ${pattern}/?$`);
  return [...called].some((call) => regex.test(call));
}

export const isId = (text) => idSegment.test(text);

// The error of a call that must fail.
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApiException) return error;
    throw error;
  }
  throw new Error("the call did not fail");
}

export async function all(list) {
  const items = [];
  for (let iterator; ; ) {
    const page = await list(iterator);
    items.push(...page.data);
    if (page.done) return items;
    iterator = page.iterator;
  }
}

// Tries until the function returns something true, for at most 20 seconds.
export async function eventually(find) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await find();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`it did not happen: ${find}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

// A subscriber on loopback that keeps what it gets and answers as told.
export class Subscriber {
  received = [];
  answers = [];

  static async start(status = 200) {
    const subscriber = new Subscriber();
    subscriber.status = status;
    subscriber.server = createServer((request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", () => {
        subscriber.received.push({ headers: request.headers, body: Buffer.concat(chunks) });
        response.writeHead(subscriber.answers.shift() ?? subscriber.status, { "x-subscriber": "1" }).end("answer");
      });
    });
    await new Promise((resolve) => subscriber.server.listen(0, "127.0.0.1", resolve));
    subscriber.url = `http://127.0.0.1:${subscriber.server.address().port}/hook`;
    return subscriber;
  }

  stop() {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(resolve));
  }

  // The n-th delivery of that message, verified by both official libraries.
  async delivery(id, secret, n = 1) {
    const got = await eventually(() => this.received.filter((one) => one.headers["webhook-id"] === id)[n - 1]);
    new Webhook(secret).verify(got.body, got.headers);
    new StandardWebhook(secret).verify(got.body, got.headers);
    return got;
  }
}

export async function application(more = {}) {
  return svix.application.create({ name: "a customer", ...more });
}
export async function endpoint(app, subscriber, more = {}) {
  return svix.endpoint.create(app.id, { url: subscriber.url, ...more });
}
export async function send(app, eventType = "order.paid", payload = { n: 1 }, more = {}) {
  return svix.message.create(app.id, { eventType, payload, ...more });
}
