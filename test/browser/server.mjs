// A server of its own for the journeys: the real binary on a new folder, ended with the tests.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const root = path.resolve(import.meta.dirname, '../..');

/** Starts `roadbed server --dev` on a free port and gives its address and the administrator's sign-in link. */
export async function start() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'roadbed-browser-'));
  const child = spawn(
    process.env.ROADBED_TEST_BINARY ?? path.join(root, 'bin/roadbed'),
    ['server', '--dev', '--listen', '127.0.0.1:0', '--data', path.join(folder, 'data')],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
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
    url: new URL(link).origin,
    folder,
    log: () => log,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}
