import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const installed = spawnSync('redis-server', ['--version']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** Redis can't take a port of the kernel's choice: another process may be faster. */
async function startRedis(folder: string): Promise<{ port: number; stop(): Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const options = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
    const child = spawn('redis-server', ['--port', String(port), ...options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
    let output = '';
    const ready = await new Promise<boolean>((resolve) => {
      child.stdout.on('data', (data) => {
        output += data;
        if (/ready to accept connections/i.test(output)) resolve(true);
      });
      child.on('close', () => resolve(false));
    });
    const stop = (): Promise<void> => {
      child.kill();
      return ended;
    };
    if (ready) return { port, stop };
    if (attempt === 5) throw new Error(`redis-server: ${output}`);
  }
}

test('redis_client: 100,000 pipelined commands against a real server', {
  skip: installed ? false : 'no redis-server here',
  timeout: 300_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-redis-'));
  const redis = await startRedis(folder);
  try {
    const outcome = await runCommand([
      example('redis_client.lua'),
      '--',
      `127.0.0.1:${redis.port}`,
    ]);
    assert.deepEqual(
      [outcome.stderr, outcome.stdout],
      [
        '',
        'an error: WRONGTYPE Operation against a key holding the wrong kind of value\n' +
          '100000 commands, each with an answer of its own\n',
      ],
    );
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
