// Reads lines of {"schema": …, "values": […]} and answers, for each, which of the values the schema takes.
const readline = require('node:readline');
const Ajv = require('ajv');
const Ajv2020 = require('ajv/dist/2020');

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { schema, values } = JSON.parse(line);
    const Draft = `${schema.$schema}`.includes('draft-07') ? Ajv : Ajv2020;
    const check = new Draft({ strict: false, validateFormats: false, logger: false }).compile(schema);
    process.stdout.write(`${JSON.stringify(values.map((value) => check(value)))}\n`);
  }
}

main();
