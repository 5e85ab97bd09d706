import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, startServer } from './support.ts';

test('echo_server sends back what clients send, each its own', { timeout: 300_000 }, async () => {
  const server = await startServer('echo_server.lua');
  try {
    const clients = Array.from({ length: 20 }, () => new Client(server.port));
    for (const [i, client] of clients.entries()) client.send(`hello from ${i}\n`);
    await Promise.all(clients.map((client, i) => client.expect(`hello from ${i}\n`)));
    const big = 'x'.repeat(1 << 20);
    clients[0]!.send(`${big}end`);
    assert.equal(await clients[0]!.expect('end'), `${big}end`);
    for (const client of clients) client.socket.end();
    await Promise.all(clients.map((client) => client.closed()));
    const late = new Client(server.port);
    late.send('still here');
    await late.expect('still here');
    late.socket.destroy();
  } finally {
    await server.stop();
  }
});
