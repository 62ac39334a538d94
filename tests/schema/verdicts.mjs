// What ajv says of JSON Schemas of draft 7. Reads JSON lines {"schema", "instances": [...]} and prints a line for each: a letter an
// instance, v(alid) or i(nvalid), or "refused: " and why for a schema that ajv does not take.
import { createInterface } from "node:readline";
import { createRequire } from "node:module";

const require = createRequire(new URL("../npm/package.json", import.meta.url));
const { default: Ajv } = require("ajv");

const ajv = new Ajv({
  strict: false,
  validateFormats: false,
  unicodeRegExp: true,
  ignoreKeywordsWithRef: true, // as draft 7 has it
  ownProperties: true, // "constructor" is no member of {}
  logger: false,
});

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { schema, instances } = JSON.parse(line);
  try {
    const validate = ajv.compile(schema);
    console.log(instances.map((instance) => (validate(instance) ? "v" : "i")).join(""));
  } catch (error) {
    console.log(`refused: ${error.message.replaceAll("\n", " ")}`);
  }
  ajv.removeSchema(schema); // its $id too
}
