import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { nativeFailure } from '../../src/sys/native.ts';
import { runCommand } from '../support/spec.ts';
import { example } from './support.ts';

const links = (...names: string[]): string =>
  names.map((name) => `<p><a href="${name}">x</a>`).join('\n');

/** A site of many pages in a circle, of which some are bad. */
const PAGES: Record<string, string> = {
  '/': links('a/', '/a/../b', 'http://example.com/', 'mailto:x@y', '#top', '/missing'),
  '/a/': links('.', './deep/page', '../b', '//example.com/x', '/garbage', '/cut-off', '/recovers'),
  '/a/deep/page': links('../../n/1', '/moved'),
  '/b': links('', '/b#again', '/b'),
  '/found': '',
};
for (let i = 1; i <= 12; i++) PAGES[`/n/${i}`] = links(`${(i % 12) + 1}`, '/');

for (const home of ['here', 'process']) {
  const skip = home !== 'here' && nativeFailure() !== undefined;
  test(`crawler: pages that kill workers cost no more than themselves: ${home}`, {
    timeout: 300_000,
    skip,
  }, async () => {
    const asked = new Map<string, number>();
    const server = createServer((request, response) => {
      const path = request.url!;
      const times = (asked.get(path) ?? 0) + 1;
      asked.set(path, times);
      if (path === '/garbage') request.socket.end('what?\r\n\r\n');
      else if (path === '/cut-off') {
        request.socket.end('HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nshort');
      } else if (path === '/recovers' && times < 3) request.socket.destroy();
      else if (path === '/moved') response.writeHead(302, { location: '/found' }).end();
      else if (path === '/recovers') response.end(links('/found'));
      else if (path in PAGES) response.end(PAGES[path]);
      else response.writeHead(404).end('nothing there');
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    try {
      const { port } = server.address() as AddressInfo;
      const { stdout, stderr, code } = await runCommand([
        example('crawler.lua'),
        ...['--', `http://127.0.0.1:${port}`, '3', home, '60'],
      ]);
      assert.equal(
        stdout,
        [
          'given up\t/cut-off',
          'given up\t/garbage',
          '404\t/missing',
          '22 pages, 3 broken; 8 workers lost',
          '',
        ].join('\n'),
      );
      // Of /garbage, and of /recovers, which says nothing at first.
      assert.equal(stderr.match(/panicked: '.*that is no HTTP'/g)?.length, 5);
      assert.equal(stderr.match(/panicked: '.*not all of it has come'/g)?.length, 3);
      assert.equal(code, 0);
      const several = [...asked].filter(([, times]) => times > 1).sort();
      assert.deepEqual(several, [
        ['/cut-off', 3],
        ['/garbage', 3],
        ['/recovers', 3],
      ]);
      assert.equal(asked.size, 22);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

test('crawler: a page that never comes', { timeout: 300_000 }, async () => {
  let asked = 0;
  const server = createServer(() => asked++);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/`;
    const { stdout, stderr } = await runCommand([
      ...[example('crawler.lua'), '--', url, '4', 'here', '0.5'],
    ]);
    assert.equal(stdout, 'given up\t/\n1 pages, 1 broken; 3 workers lost\n');
    assert.equal(stderr.match(/panicked: 'Connection timed out'/g)?.length, 3);
    assert.ok(asked <= 3);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('crawler: no site there', { timeout: 300_000 }, async () => {
  const usage = await runCommand([example('crawler.lua'), '--', 'ftp://x']);
  assert.deepEqual(
    [usage.stdout, usage.code],
    ['usage: crawler.lua -- URL [WORKERS [HOME [SECONDS]]]\n', 2],
  );
  const nobody = await runCommand([example('crawler.lua'), '--', 'http://127.0.0.1:1/']);
  assert.equal(nobody.stdout, 'given up\t/\n1 pages, 1 broken; 3 workers lost\n');
});
