// Drives every operation of the compatible API through the official SDK, against a real server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  all, application, call, endpoint, eventually, failure, isId, send, Subscriber, Svix, svix, url, wasCalled, Webhook,
} from "./client.mjs";

const unique = () => `u-${process.hrtime.bigint()}`;
const fieldsOf = (object) => Object.keys(object).sort();
const subset = (fields, object) => assert.deepEqual(fields.filter((field) => !(field in object)), []);

// A list of five, walked forwards and backwards in pages of two.
async function checkPages(path, ids) {
  const pages = [];
  for (let iterator = ""; ; ) {
    const { body } = await call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=2&iterator=${iterator}`);
    assert.deepEqual(fieldsOf(body), ["data", "done", "iterator", "prevIterator"]);
    pages.push(body);
    if (body.done) break;
    iterator = encodeURIComponent(body.iterator);
  }
  const key = (item) => item.id ?? item.name;
  assert.deepEqual(pages.flatMap((page) => page.data.map(key)), ids);
  const backwards = [];
  for (let previous = pages.at(-1).prevIterator; previous; ) {
    const { body } = await call("GET", `${path}${path.includes("?") ? "&" : "?"}limit=2&iterator=${encodeURIComponent(previous)}`);
    backwards.unshift(...body.data.map(key));
    previous = body.data.length === 0 ? null : body.prevIterator;
  }
  assert.deepEqual(backwards, ids.slice(0, ids.length - pages.at(-1).data.length));
}

describe("applications", () => {
  test("create, get, update, patch, list, delete", async () => {
    const uid = unique();
    const made = await svix.application.create({ name: "one", uid, rateLimit: 10, metadata: { a: "b" } });
    assert.ok(isId(made.id));
    assert.deepEqual({ name: made.name, uid: made.uid, rateLimit: made.rateLimit, metadata: made.metadata },
      { name: "one", uid, rateLimit: 10, metadata: { a: "b" } });
    assert.ok(made.createdAt instanceof Date && made.updatedAt >= made.createdAt);
    assert.deepEqual(await svix.application.get(uid), made);
    assert.deepEqual(await svix.application.getOrCreate({ name: "other", uid }), made);
    const updated = await svix.application.update(made.id, { name: "two", uid });
    assert.deepEqual([updated.name, updated.rateLimit ?? null, updated.metadata], ["two", null, {}]);
    const patched = await svix.application.patch(uid, { metadata: { c: "d" } });
    assert.deepEqual([patched.name, patched.metadata], ["two", { c: "d" }]);
    assert.ok((await all((iterator) => svix.application.list({ iterator }))).some((one) => one.id === made.id));
    await svix.application.delete(uid);
    assert.equal((await failure(svix.application.get(uid))).code, 404);
  });

  test("PUT creates what is not there, under the path's uid", async () => {
    const uid = unique();
    assert.equal((await call("PUT", `/api/v1/app/${uid}`, { name: "new", uid })).status, 201);
    assert.equal((await call("PUT", `/api/v1/app/${uid}/`, { name: "newer", uid })).status, 200);
  });

  test("all documented fields are there, null where they have no value", async () => {
    const { status, body } = await call("POST", "/api/v1/app/", { name: "bare" });
    assert.equal(status, 201);
    subset(["createdAt", "id", "metadata", "name", "throttleRate", "uid", "updatedAt"], body);
    assert.equal(body.uid, null);
    assert.equal(body.throttleRate, null);
  });

  test("errors have the compatible shapes", async () => {
    const uid = unique();
    await application({ uid });
    const conflict = await failure(svix.application.create({ name: "again", uid }));
    assert.equal(conflict.code, 409);
    assert.deepEqual(fieldsOf(conflict.body), ["code", "detail"]);
    const invalid = await failure(svix.application.create({ name: "" }));
    assert.equal(invalid.code, 422);
    assert.deepEqual(invalid.body.detail[0].loc, ["body", "name"]);
    assert.deepEqual(fieldsOf(invalid.body.detail[0]), ["loc", "msg", "type"]);
    const missing = await failure(svix.application.get("app_00000000000000000000000000"));
    assert.deepEqual([missing.code, missing.body.code], [404, "not_found"]);
    const stranger = await failure(new Svix("no token", { serverUrl: url, numRetries: 0 }).application.list());
    assert.deepEqual([stranger.code, stranger.body.code], [401, "authentication_failed"]);
  });

  test("a list is stable while others are inserted", async () => {
    const before = (await all((iterator) => svix.application.list({ iterator, limit: 250 }))).map((one) => one.id);
    const seen = [];
    for (let iterator; ; ) {
      const page = await svix.application.list({ iterator, limit: 3, order: "descending" });
      seen.push(...page.data.map((one) => one.id));
      await application();
      if (page.done) break;
      iterator = page.iterator;
    }
    assert.deepEqual(seen, before.reverse());
  });
});

describe("event types", () => {
  test("create, get, update, patch, list, archive, expunge", async () => {
    const name = `sdk.${unique()}`;
    const schemas = { 1: { type: "object", properties: { id: { type: "string" } } } };
    const made = await svix.eventType.create({ name, description: "one", schemas, featureFlag: "beta" });
    assert.deepEqual([made.name, made.description, made.schemas, made.featureFlag, made.archived, made.deprecated],
      [name, "one", schemas, "beta", false, false]);
    assert.deepEqual(await svix.eventType.get(name), made);
    assert.equal((await svix.eventType.update(name, { description: "two" })).description, "two");
    assert.equal((await svix.eventType.patch(name, { archived: true })).archived, true);
    const listed = async (options) =>
      (await all((iterator) => svix.eventType.list({ iterator, ...options }))).find((one) => one.name === name);
    assert.equal(await listed({}), undefined);
    assert.equal((await listed({ includeArchived: true })).description, "two");
    await svix.eventType.patch(name, { archived: false, schemas });
    assert.equal((await listed({})).schemas ?? null, null);
    assert.deepEqual((await listed({ withContent: true })).schemas, schemas);
    await svix.eventType.delete(name);
    assert.equal((await svix.eventType.get(name)).archived, true);
    await svix.eventType.delete(name, { expunge: true });
    assert.equal((await failure(svix.eventType.get(name))).code, 404);
    assert.equal((await call("PUT", `/api/v1/event-type/${name}`, { description: "new" })).status, 201);
  });

  test("an enforced schema refuses what breaks it, and update leaves it enforced", async () => {
    const name = `enforced.${unique()}`;
    const schemas = { 1: { type: "object", properties: { id: { type: "string" } }, required: ["id"] } };
    await svix.eventType.create({ name, description: "one", schemas });
    assert.equal((await call("PATCH", `/api/v1/event-type/${name}`, { enforceSchema: true })).status, 200);
    await svix.eventType.update(name, { description: "two", schemas });
    const app = await application();
    const refused = await failure(svix.message.create(app.id, { eventType: name, payload: { id: 1 } }));
    assert.equal(refused.code, 422);
    assert.deepEqual(refused.body.detail, [
      { loc: ["body", "payload", "id"], msg: "/id: must be of type string", type: "value_error.schema" },
    ]);
    assert.ok(isId((await svix.message.create(app.id, { eventType: name, payload: { id: "1" } })).id));
    assert.equal((await failure(svix.eventType.update(name, { description: "three" }))).code, 422);
  });

  test("import from OpenAPI", async () => {
    const name = `imported.${unique()}`;
    const schema = { type: "object", properties: { id: { type: "string" } } };
    const operation = { description: "d", requestBody: { content: { "application/json": { schema } } } };
    const spec = { openapi: "3.1.0", info: { title: "t", version: "1" }, webhooks: { [name]: { post: operation } } };
    const { data: told } = await svix.eventType.importOpenapi({ spec, dryRun: true });
    assert.deepEqual(told.modified, []);
    assert.deepEqual(told.toModify.map((one) => [one.name, one.description, one.schemas]), [[name, "d", { 1: schema }]]);
    assert.equal((await failure(svix.eventType.get(name))).code, 404);
    const { data: done } = await svix.eventType.importOpenapi({ specRaw: JSON.stringify(spec) });
    assert.deepEqual(done.modified, [name]);
    assert.deepEqual((await svix.eventType.get(name)).schemas, { 1: schema });
    assert.equal((await failure(svix.eventType.importOpenapi({}))).code, 400);
  });

  test("pages go forwards and backwards in the order of the names", async () => {
    const prefix = `page.${unique()}`;
    for (const n of [3, 1, 5, 2, 4]) await svix.eventType.create({ name: `${prefix}.${n}`, description: "" });
    const names = (await all((iterator) => svix.eventType.list({ iterator }))).map((one) => one.name);
    assert.deepEqual(names, [...names].sort());
  });
});

describe("endpoints", () => {
  let app, subscriber;
  before(async () => {
    app = await application();
    subscriber = await Subscriber.start();
  });
  after(() => subscriber.stop());

  test("create, get, update, patch, list, delete", async () => {
    const uid = unique();
    const made = await svix.endpoint.create(app.id, {
      url: subscriber.url, uid, description: "d", filterTypes: ["a.b"], channels: ["c"], rateLimit: 7, metadata: { m: "1" },
    });
    assert.ok(isId(made.id));
    const { url: target, description, filterTypes, channels, rateLimit, metadata, disabled, version } = made;
    assert.deepEqual({ target, description, filterTypes, channels, rateLimit, metadata, disabled, version }, {
      target: subscriber.url, description: "d", filterTypes: ["a.b"], channels: ["c"], rateLimit: 7, metadata: { m: "1" },
      disabled: false, version: 1,
    });
    assert.deepEqual(await svix.endpoint.get(app.id, uid), made);
    const updated = await svix.endpoint.update(app.id, uid, { url: subscriber.url, uid });
    assert.deepEqual([updated.description, updated.filterTypes ?? null, updated.channels ?? null], ["", null, null]);
    const patched = await svix.endpoint.patch(app.id, made.id, { disabled: true, filterTypes: ["x"] });
    assert.deepEqual([patched.disabled, patched.filterTypes, patched.uid], [true, ["x"], uid]);
    assert.deepEqual((await svix.endpoint.list(app.id)).data.map((one) => one.id), [made.id]);
    await svix.endpoint.delete(app.id, uid);
    assert.equal((await failure(svix.endpoint.get(app.id, made.id))).code, 404);
    assert.equal((await call("PUT", `/api/v1/app/${app.id}/endpoint/${uid}`, { url: subscriber.url, uid })).status, 201);
    await svix.endpoint.delete(app.id, uid);
  });

  test("headers: those that hold credentials are named, not shown", async () => {
    const made = await endpoint(app, subscriber, { headers: { "X-At-Creation": "1" } });
    assert.deepEqual((await svix.endpoint.getHeaders(app.id, made.id)).headers, { "X-At-Creation": "1" });
    await svix.endpoint.updateHeaders(app.id, made.id, { headers: { "X-One": "1", Authorization: "Basic abc" } });
    const shown = await svix.endpoint.getHeaders(app.id, made.id);
    assert.deepEqual([shown.headers, shown.sensitive], [{ "X-One": "1" }, ["Authorization"]]);
    await svix.endpoint.patchHeaders(app.id, made.id, { headers: { "X-Two": "2" } });
    const sent = await send(app);
    const got = await subscriber.delivery(sent.id, (await svix.endpoint.getSecret(app.id, made.id)).key);
    assert.deepEqual([got.headers["x-one"], got.headers["x-two"], got.headers.authorization], ["1", "2", "Basic abc"]);
    await svix.endpoint.delete(app.id, made.id);
  });

  test("a rotated secret signs beside the old one", async () => {
    const made = await endpoint(app, subscriber);
    const before = (await svix.endpoint.getSecret(app.id, made.id)).key;
    await svix.endpoint.rotateSecret(app.id, made.id, {});
    const now = (await svix.endpoint.getSecret(app.id, made.id)).key;
    assert.notEqual(before, now);
    const sent = await send(app);
    await subscriber.delivery(sent.id, before);
    await subscriber.delivery(sent.id, now);
    await svix.endpoint.delete(app.id, made.id);
  });

  test("an example is sent to the endpoint alone", async () => {
    const made = await endpoint(app, subscriber, { filterTypes: ["something.else"] });
    const other = await Subscriber.start();
    await endpoint(app, other);
    const name = `example.${unique()}`;
    await svix.eventType.create({ name, description: "", schemas: { 1: { type: "object", examples: [{ a: 1 }, { a: 2 }] } } });
    const sent = await svix.endpoint.sendExample(app.id, made.id, { eventType: name, exampleIndex: 1 });
    assert.deepEqual(sent.payload, { a: 2 });
    const got = await subscriber.delivery(sent.id, (await svix.endpoint.getSecret(app.id, made.id)).key);
    assert.deepEqual(JSON.parse(got.body), { a: 2 });
    assert.equal((await failure(svix.endpoint.sendExample(app.id, made.id, { eventType: "not.there" }))).code, 404);
    assert.equal(other.received.length, 0);
    await other.stop();
  });

  test("pages go forwards and backwards", async () => {
    const own = await application();
    const ids = [];
    for (let i = 0; i < 5; ++i) ids.push((await endpoint(own, subscriber)).id);
    await checkPages(`/api/v1/app/${own.id}/endpoint`, ids);
    await checkPages(`/api/v1/app/${own.id}/endpoint/?order=descending`, [...ids].reverse());
  });
});

describe("messages and attempts", () => {
  let app, good, bad, toGood, toBad, secret;
  before(async () => {
    [app, good, bad] = [await application(), await Subscriber.start(), await Subscriber.start(500)];
    toGood = await endpoint(app, good);
    toBad = await endpoint(app, bad, { filterTypes: ["fails"] });
    secret = (await svix.endpoint.getSecret(app.id, toGood.id)).key;
  });
  after(() => Promise.all([good.stop(), bad.stop()]));

  test("create, get, list, expunge", async () => {
    const own = await application();
    const made = await svix.message.create(own.id, {
      eventType: "order.paid", payload: { price: 10.5 }, channels: ["eu"], eventId: "event-1", tags: ["t"],
    });
    assert.ok(isId(made.id));
    assert.deepEqual([made.eventType, made.payload, made.channels, made.eventId, made.tags],
      ["order.paid", { price: 10.5 }, ["eu"], "event-1", ["t"]]);
    assert.deepEqual(await svix.message.get(own.id, made.id), made);
    assert.deepEqual(await svix.message.get(own.id, "event-1", { withContent: false }), { ...made, payload: {} });
    const other = await send(own, "order.sent");
    const ids = async (options) => (await svix.message.list(own.id, options)).data.map((one) => one.id);
    assert.deepEqual(await ids({}), [other.id, made.id]);
    assert.deepEqual(await ids({ eventTypes: ["order.paid"] }), [made.id]);
    assert.deepEqual(await ids({ channel: "eu" }), [made.id]);
    assert.deepEqual(await ids({ tag: "t" }), [made.id]);
    assert.deepEqual(await ids({ before: new Date(made.timestamp.getTime() - 60_000) }), []);
    assert.deepEqual(await ids({ after: new Date(made.timestamp.getTime() - 60_000) }), [other.id, made.id]);
    await svix.message.expungeContent(own.id, made.id);
    assert.notDeepEqual((await svix.message.get(own.id, made.id)).payload, { price: 10.5 });
  });

  test("the same idempotency key gives the same message, another body an error", async () => {
    const options = { idempotencyKey: unique() };
    const message = { eventType: "order.paid", payload: {} };
    const first = await svix.message.create(app.id, message, options);
    assert.equal((await svix.message.create(app.id, message, options)).id, first.id);
    const other = { ...message, payload: { other: 1 } };
    assert.equal((await failure(svix.message.create(app.id, other, options))).code, 422);
    const eventId = unique();
    const second = await send(app, "order.paid", { a: 1 }, { eventId });
    assert.equal((await send(app, "order.paid", { a: 1 }, { eventId })).id, second.id);
    assert.equal((await failure(send(app, "order.paid", { a: 2 }, { eventId }))).code, 409);
  });

  test("a message can bring its application along", async () => {
    const uid = unique();
    assert.equal((await failure(svix.message.create(uid, { eventType: "a", payload: {} }))).code, 404);
    const body = { eventType: "a", payload: {}, application: { name: "by the way", uid } };
    const made = await svix.message.create(uid, body);
    assert.equal((await svix.application.get(uid)).name, "by the way");
    assert.equal((await svix.message.get(uid, made.id)).id, made.id);
    const invalid = await failure(svix.message.create(unique(), { ...body, application: { name: "" } }));
    assert.deepEqual([invalid.code, invalid.body.detail[0].loc], [422, ["body", "application", "name"]]);
  });

  test("deliveries arrive signed, byte for byte, and attempts are listed", async () => {
    const sent = await send(app, "order.paid", { text: "Zürich 漢字", n: 10.5 });
    const got = await good.delivery(sent.id, secret);
    assert.equal(got.body.toString(), JSON.stringify({ text: "Zürich 漢字", n: 10.5 }));
    const attempt = await eventually(async () => (await svix.messageAttempt.listByMsg(app.id, sent.id)).data[0]);
    assert.ok(isId(attempt.id));
    const { endpointId, msgId, response, responseStatusCode, status, statusText, triggerType, url: target } = attempt;
    assert.deepEqual({ endpointId, msgId, response, responseStatusCode, status, statusText, triggerType, target }, {
      endpointId: toGood.id, msgId: sent.id, response: "answer", responseStatusCode: 200, status: 0, statusText: "success",
      triggerType: 0, target: good.url,
    });
    assert.deepEqual(await svix.messageAttempt.get(app.id, sent.id, attempt.id), attempt);
    const byEndpoint = await svix.messageAttempt.listByEndpoint(app.id, toGood.id, { status: 0, statusCodeClass: 200 });
    assert.ok(byEndpoint.data.some((one) => one.id === attempt.id));
    assert.deepEqual((await svix.messageAttempt.listByEndpoint(app.id, toGood.id, { status: 2 })).data, []);
    await svix.messageAttempt.expungeContent(app.id, sent.id, attempt.id);
    assert.notEqual((await svix.messageAttempt.get(app.id, sent.id, attempt.id)).response, "answer");
  });

  test("destinations, attempted messages, stats, resend and recover", async () => {
    const sent = await send(app, "fails", { n: 1 });
    const destinations = () => svix.messageAttempt.listAttemptedDestinations(app.id, sent.id);
    const state = async (id) => (await destinations()).data.find((one) => one.id === id);
    await eventually(async () => (await state(toGood.id))?.status === 0 && (await state(toBad.id))?.status === 2);
    const page = await destinations();
    assert.equal(page.done, true);
    assert.deepEqual((await state(toBad.id)).statusText, "fail");
    const { body } = await call("GET", `/api/v1/app/${app.id}/msg/${sent.id}/endpoint/?limit=1`);
    assert.equal(body.done, false);  // the reference server always says true

    const attempted = await svix.messageAttempt.listAttemptedMessages(app.id, toBad.id, { status: 2 });
    assert.deepEqual(attempted.data.map((one) => [one.id, one.status]), [[sent.id, 2]]);
    const stats = await svix.endpoint.getStats(app.id, toBad.id);
    assert.deepEqual([stats.fail, stats.success, stats.pending, stats.sending], [1, 0, 0, 0]);

    const badSecret = (await svix.endpoint.getSecret(app.id, toBad.id)).key;
    const attempts = bad.received.length;
    bad.answers.push(500);
    await svix.messageAttempt.resend(app.id, sent.id, toBad.id);
    await bad.delivery(sent.id, badSecret, attempts + 1);
    await eventually(async () => (await state(toBad.id)).status === 2);
    const manual = (await svix.messageAttempt.listByEndpoint(app.id, toBad.id)).data.filter((one) => one.triggerType === 1);
    assert.ok(manual.length >= 1);

    bad.status = 200;
    const task = await svix.endpoint.recover(app.id, toBad.id, { since: new Date(Date.now() - 3_600_000) });
    assert.deepEqual([task.task, typeof task.id], ["endpoint.recover", "string"]);
    await eventually(async () => (await state(toBad.id)).status === 0);
  });

  test("an endpoint that came later gets what it missed", async () => {
    const own = await application();
    const since = new Date(Date.now() - 60_000);
    const sent = [await send(own), await send(own, "other")];
    const subscriber = await Subscriber.start();
    const late = await endpoint(own, subscriber, { filterTypes: ["order.*"] });
    const lateSecret = (await svix.endpoint.getSecret(own.id, late.id)).key;
    const task = await svix.endpoint.replayMissing(own.id, late.id, { since });
    assert.equal(task.task, "endpoint.replay");
    await subscriber.delivery(sent[0].id, lateSecret);
    const finished = await eventually(async () => {
      const now = await svix.backgroundTask.get(task.id);
      return now.status === "finished" && now;
    });
    assert.deepEqual([finished.task, finished.data.replayed], ["endpoint.replay", 1]);
    assert.equal((await svix.backgroundTask.list()).data[0].id, task.id);
    const again = await call("POST", `/api/v1/app/${own.id}/endpoint/${late.id}/bulk-replay`, { since });
    assert.deepEqual([again.status, again.body.task], [202, "endpoint.bulk_replay"]);
    await subscriber.delivery(sent[0].id, lateSecret, 2);
    assert.equal(subscriber.received.length, 2);
    const invalid = await failure(svix.endpoint.replayMissing(own.id, late.id, { since, until: since }));
    assert.deepEqual([invalid.code, invalid.body.detail[0].loc], [422, ["body", "until"]]);
    await subscriber.stop();
  });

  test("what was counted is a background task that has finished", async () => {
    const own = await application();
    const subscriber = await Subscriber.start();
    const target = await endpoint(own, subscriber);
    await send(own);
    await eventually(async () => (await svix.messageAttempt.listByEndpoint(own.id, target.id)).data.length === 1);
    const [since, until] = [new Date(Date.now() - 3_600_000), new Date(Date.now() + 3_600_000)];
    const usage = await svix.statistics.aggregateAppStats({ appIds: [own.id, "nobody"], since, until });
    assert.deepEqual([usage.status, usage.task, usage.unresolvedAppIds], ["finished", "application.stats", ["nobody"]]);
    const counted = (await svix.backgroundTask.get(usage.id)).data.stats;
    assert.deepEqual(counted.map((one) => [one.appId, one.messageDestinations]), [[own.id, 1]]);
    const types = await svix.statistics.aggregateEventTypes();
    assert.deepEqual([types.status, types.task], ["finished", "event-type.aggregate"]);
    const listed = await svix.backgroundTask.list({ status: "finished", task: "event-type.aggregate" });
    assert.equal(listed.data[0].id, types.id);
    const hours = await call("GET", `/api/v1/app/${own.id}/stats/over-time?since=${since.toISOString()}`);
    assert.equal(hours.body.data.reduce((sum, one) => sum + one.success, 0), 1);
    await subscriber.stop();
  });

  test("pages of messages and attempts go forwards and backwards", async () => {
    const own = await application();
    const subscriber = await Subscriber.start();
    const target = await endpoint(own, subscriber);
    const ids = [];
    for (let i = 0; i < 5; ++i) ids.unshift((await send(own)).id);
    await eventually(async () => (await svix.messageAttempt.listByEndpoint(own.id, target.id)).data.length === 5);
    await checkPages(`/api/v1/app/${own.id}/msg`, ids);
    await checkPages(`/api/v1/app/${own.id}/endpoint/${target.id}/msg`, ids);
    const attempts = (await svix.messageAttempt.listByEndpoint(own.id, target.id)).data.map((one) => one.id);
    await checkPages(`/api/v1/app/${own.id}/attempt/endpoint/${target.id}`, attempts);
    await subscriber.stop();
  });
});

describe("operational webhooks", () => {
  test("endpoints: create, list, get, update, headers, secret, delete; and what they are told", async () => {
    const desk = await Subscriber.start();
    const endpoints = svix.operationalWebhook.endpoint;
    const made = await endpoints.create({ url: desk.url, filterTypes: ["endpoint.created"], uid: unique() });
    assert.ok(isId(made.id));
    assert.ok((await all((iterator) => endpoints.list({ iterator }))).some((one) => one.id === made.id));
    assert.equal((await endpoints.get(made.uid)).url, desk.url);
    const { description } = await endpoints.update(made.id, { url: desk.url, filterTypes: ["endpoint.created"], description: "desk" });
    assert.equal(description, "desk");
    await endpoints.updateHeaders(made.id, { headers: { "X-Desk": "1" } });
    assert.deepEqual((await endpoints.getHeaders(made.id)).headers, { "X-Desk": "1" });
    await endpoints.rotateSecret(made.id, {});
    const { key } = await endpoints.getSecret(made.id);
    const own = await application({ uid: unique() });
    const target = await endpoint(own, desk);
    const got = await eventually(() => desk.received.find((one) => JSON.parse(one.body).data?.endpointId === target.id));
    const { type, data } = new Webhook(key).verify(got.body, got.headers);
    assert.deepEqual([type, data.appId, data.appUid, got.headers["x-desk"]], ["endpoint.created", own.id, own.uid, "1"]);
    await endpoints.delete(made.id);
    assert.equal((await failure(endpoints.get(made.id))).code, 404);
    await desk.stop();
  });
});

describe("authentication and health", () => {
  test("a customer's token reaches his application and nothing else", async () => {
    const [mine, other] = [await application(), await application()];
    const access = await svix.authentication.appPortalAccess(mine.id, { expiry: 3600 });
    const key = JSON.parse(Buffer.from(access.url.split("#key=")[1], "base64"));
    assert.deepEqual(key, { appId: mine.id, token: access.token });
    const customer = new Svix(access.token, { serverUrl: url, numRetries: 0 });
    assert.equal((await customer.application.get(mine.id)).id, mine.id);
    assert.equal((await failure(customer.application.get(other.id))).code, 404);
    assert.equal((await failure(customer.application.list())).code, 403);
    assert.equal((await failure(svix.authentication.appPortalAccess(mine.id, { expiry: 1 }))).code, 422);
    await customer.authentication.logout();
    await svix.authentication.logout();
    const uid = unique();
    const created = await svix.authentication.appPortalAccess(uid, { application: { name: "new", uid } });
    assert.ok(created.token);
    assert.equal((await svix.application.get(uid)).name, "new");
  });

  test("health", async () => {
    await svix.health.get();
    for (const path of ["/api/v1/health", "/api/v1/health/ping", "/api/v1/health/"])
      for (const method of ["GET", "HEAD"]) assert.equal((await call(method, path)).status, 204);
  });
});

test("every operation of the compatible API was called", () => {
  const app = "/api/v1/app/{app_id}", one = `${app}/endpoint/{endpoint_id}`, message = `${app}/msg/{msg_id}`;
  const operations = {
    "/api/v1/app": "GET POST", [app]: "GET PUT PATCH DELETE", [`${app}/attempt/endpoint/{endpoint_id}`]: "GET",
    [`${app}/attempt/msg/{msg_id}`]: "GET", [`${app}/endpoint`]: "GET POST", [one]: "GET PUT PATCH DELETE",
    [`${one}/headers`]: "GET PUT PATCH", [`${one}/msg`]: "GET", [`${one}/recover`]: "POST", [`${one}/secret`]: "GET",
    [`${one}/secret/rotate`]: "POST", [`${one}/send-example`]: "POST", [`${one}/stats`]: "GET", [`${app}/msg`]: "GET POST",
    [message]: "GET", [`${message}/attempt/{attempt_id}`]: "GET", [`${message}/attempt/{attempt_id}/content`]: "DELETE",
    [`${message}/content`]: "DELETE", [`${message}/endpoint`]: "GET", [`${message}/endpoint/{endpoint_id}/resend`]: "POST",
    "/api/v1/auth/app-portal-access/{app_id}": "POST", "/api/v1/auth/logout": "POST", "/api/v1/event-type": "GET POST",
    "/api/v1/event-type/{event_type_name}": "GET PUT PATCH DELETE", "/api/v1/health": "GET HEAD",
    "/api/v1/health/ping": "GET HEAD",
  };
  const wanted = Object.entries(operations).flatMap(([path, methods]) => methods.split(" ").map((method) => [method, path]));
  assert.deepEqual(wanted.filter(([method, path]) => !wasCalled(method, path)), []);
});
