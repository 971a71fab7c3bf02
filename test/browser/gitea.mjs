// A real Gitea for the journeys: the program that `make gitea` builds, set up as the Go tests have it.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const [, version] = fs.readFileSync(path.join(root, 'internal/machinery/forge/gitea/giteatest/giteatest.go'), 'utf8').match(/Version = "(.+)"/);
const home = path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'roadbed', `gitea-${version}`);

/** Why there can be no Gitea here, for what skips without one; in CI it has to be there. */
export const absent = !process.env.CI && !fs.existsSync(path.join(home, 'gitea')) && 'no Gitea; `make gitea` builds it';

const secret = () => randomBytes(24).toString('hex');

/** A port on which nobody listens. */
async function free() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a Gitea on a folder of its own. */
export async function startGitea() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'roadbed-gitea-'));
  const port = await free();
  const url = `http://127.0.0.1:${port}`;
  const own = { dir, port, static: path.join(home, 'static'), user: os.userInfo().username, secret: secret(), token: secret() };
  const template = fs.readFileSync(path.join(root, 'internal/machinery/forge/gitea/giteatest/app.ini'), 'utf8');
  const config = path.join(dir, 'app.ini');
  fs.writeFileSync(config, template.replace(/\{(\w+)\}/g, (_, name) => own[name]), { mode: 0o600 });
  const program = path.join(home, 'gitea');
  const base = ['--config', config, '--work-path', dir];
  const options = { cwd: dir, encoding: 'utf8', env: { PATH: process.env.PATH, HOME: dir, TMPDIR: dir } };
  const run = (...args) => execFileSync(program, [...base, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  run('migrate');
  const log = fs.openSync(path.join(dir, 'gitea.log'), 'w');
  const child = spawn(program, [...base, 'web'], { ...options, stdio: ['ignore', log, log] });
  fs.closeSync(log);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lost = () => child.kill('SIGKILL'); // a journey that dies takes it along
  process.once('exit', lost);
  for (;;) {
    if (await fetch(`${url}/api/v1/version`).then((r) => r.ok, () => false)) break;
    if (child.exitCode !== null) throw new Error(`Gitea did not start:\n${fs.readFileSync(path.join(dir, 'gitea.log'), 'utf8')}`);
    await new Promise((resolve) => setTimeout(resolve, 50)); // there is nothing else to wait for
  }
  return {
    url,
    host: `127.0.0.1:${port}`,
    /** Makes a person, and gives a token of theirs with these scopes. */
    person: (name, ...scopes) => {
      run('admin', 'user', 'create', '--username', name, '--password', secret(), '--email', `${name}@example.com`, '--must-change-password=false');
      return run('admin', 'user', 'generate-access-token', '--username', name, '--token-name', 'test', '--scopes', scopes.join(','), '--raw');
    },
    /** Asks the API by somebody's token. */
    api: async (token, method, to, body) => {
      const answer = await fetch(`${url}/api/v1${to}`, {
        method,
        headers: { Authorization: `token ${token}`, 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${to} = ${answer.status} ${text}`);
      return text ? JSON.parse(text) : undefined;
    },
    stop: async () => {
      process.off('exit', lost);
      child.kill('SIGTERM');
      await ended;
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}
