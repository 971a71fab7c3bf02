// Reads the text of a file a line, as a JSON string, and answers for each, on a line, what Backstage's catalog makes of it:
// {"values": [{…}, …]}, its documents without the empty ones, or {"why": "…"}.
const readline = require('node:readline');
const yaml = require('yaml');

function parse(text) {
  try {
    const values = [];
    // As catalog-node's parseEntityYaml does where catalog.enableYamlMerge is set.
    for (const document of yaml.parseAllDocuments(text, { merge: true, logLevel: 'error' })) {
      if (document.errors.length > 0) return { why: `${document.errors[0]}` };
      const value = document.toJSON();
      if (value !== null) values.push(value);
    }
    return { values };
  } catch (error) {
    return { why: `${error.message ?? error}` };
  }
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(parse(JSON.parse(line)))}\n`);
  }
}

main();
