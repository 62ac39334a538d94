// Reads received deliveries as JSON lines {"secret", "body", "headers": {...}} and verifies each with the official libraries.
// Prints a line a delivery: "ok", or what the library said.
import { createInterface } from "node:readline";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, body, headers } = JSON.parse(line);
  const problems = [];
  for (const [name, Webhook] of [["standardwebhooks", StandardWebhook], ["svix", SvixWebhook]]) {
    try {
      new Webhook(secret).verify(body, headers);
    } catch (error) {
      problems.push(`${name}: ${error.message}`);
    }
  }
  console.log(problems.length === 0 ? "ok" : problems.join("; "));
}
