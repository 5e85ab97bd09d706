import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Server } from 'node:net';
import test from 'node:test';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const listen = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

test('port_scanner finds the ports that are open', { timeout: 300_000 }, async () => {
  const servers = [createServer(), createServer()];
  const ports = await Promise.all(servers.map(listen));
  for (const port of ports) {
    const [first, last] = [port - 20, port + 20].map(String) as [string, string];
    const { stdout, stderr, code } = await runCommand([
      example('port_scanner.lua'),
      '--',
      first,
      last,
    ]);
    assert.deepEqual([stderr, code], ['', 0]);
    assert.match(stdout, new RegExp(`^${port} is open$`, 'm'));
    assert.match(stdout, /^\d+ of 41 ports are open$/m);
  }
  for (const server of servers) server.close();
});
