// A server of its own for the journeys: the real binary on a new folder, ended with the tests.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * Starts `roadbed server --dev` on a free port and gives its address, the administrator's sign-in link and their token.
 * It can be given further options, be stopped for a while and begun again, on the same port with the same data.
 */
export async function start(...options) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'roadbed-browser-'));
  const token = `rbt_${randomBytes(20).toString('hex')}`;
  let now = await run(folder, '127.0.0.1:0', token, options);
  const { link } = now;
  const url = new URL(link).origin;
  return {
    link,
    url,
    token,
    folder,
    /** Asks the API as the administrator. */
    api: async (method, to, body) => {
      const answer = await fetch(`${url}/api/v1${to}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${to} = ${answer.status} ${text}`);
      return text ? JSON.parse(text) : undefined;
    },
    away: async (meanwhile) => {
      await now.end();
      await meanwhile();
      now = await run(folder, new URL(url).host, token, options);
    },
    stop: async () => {
      await now.end();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function run(folder, listen, token, options) {
  const child = spawn(
    process.env.ROADBED_TEST_BINARY ?? path.join(root, 'bin/roadbed'),
    ['server', '--dev', '--listen', listen, '--data', path.join(folder, 'data'), ...options],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ROADBED_ADMIN_TOKEN: token } },
  );
  let log = '';
  child.stderr.on('data', (d) => {
    log += d;
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const link = await new Promise((resolve, reject) => {
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
      const found = line.match(/https?:\/\/\S+\/signin#\S+/);
      if (found) resolve(found[0]);
    });
    ended.then((code) => reject(new Error(`the server ended with ${code} before it was ready:\n${log}`)));
  });
  return {
    link,
    end: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
