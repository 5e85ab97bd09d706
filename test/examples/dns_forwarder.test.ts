import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import test from 'node:test';
import { startDnsServer } from '../support/dns-server.ts';
import { Client, startServer } from './support.ts';

test('dns_forwarder answers over UDP and TCP', { timeout: 300_000 }, async () => {
  const many = Array.from({ length: 60 }, (_, i) => `192.0.2.${i + 1}`);
  const upstream = await startDnsServer({
    'both.test': { addresses: ['192.0.2.1', '2001:db8::1'] },
    'alias.test': { alias: 'both.test' },
    'long.test': { addresses: many, truncated: true },
    'broken.test': { fails: 2 },
    'garbage.test': { fails: 'garbage' },
  });
  const server = await startServer('dns_forwarder.lua', ['0', `127.0.0.1:${upstream.port}`, '0.2']);
  const resolver = new Resolver({ timeout: 2000, tries: 10 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
  const stranger = createSocket('udp4');
  const half = new Client(server.port);
  try {
    assert.deepEqual(await resolver.resolve4('both.test'), ['192.0.2.1']);
    assert.deepEqual(await resolver.resolve6('both.test'), ['2001:db8::1']);
    assert.deepEqual(await resolver.resolve4('alias.test'), ['192.0.2.1']);
    assert.equal((await resolver.resolve4('long.test')).length, 60); // cut, and asked for again over TCP
    await assert.rejects(resolver.resolve4('nobody.test'), { code: 'ENOTFOUND' });
    await assert.rejects(resolver.resolve4('broken.test'), { code: 'ESERVFAIL' });
    // An answer that repeats no question is passed over until the time is over.
    const question = '\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07garbage\x04test\0\0\x01\0\x01';
    const failed = new Promise<Buffer>((resolve) => stranger.once('message', resolve));
    stranger.send(Buffer.from(question, 'latin1'), server.port, '127.0.0.1');
    assert.equal((await failed).toString('latin1'), question.replace('\x01\0', '\x81\x82'));
    const all = await Promise.all(
      Array.from({ length: 100 }, () => resolver.resolve4('both.test')),
    );
    assert.ok(all.every(([address]) => address === '192.0.2.1'));
    // What is no query is dropped, and hurts nobody.
    for (const text of [
      '',
      'x',
      '\0'.repeat(12),
      '\xff'.repeat(600),
      `\0\0\x01\0\0\x01${'\0'.repeat(6)}\x3f`,
    ]) {
      stranger.send(Buffer.from(text, 'latin1'), server.port, '127.0.0.1');
    }
    half.send('\0\x05abc');
    const wrong = new Client(server.port);
    wrong.send('\0\x05abcde');
    await wrong.closed();
    assert.deepEqual(await resolver.resolve4('both.test'), ['192.0.2.1']);
  } finally {
    resolver.cancel();
    half.socket.destroy();
    stranger.close();
    await server.stop();
    await upstream.close();
  }
});
