import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import { type Outcome, runCommand } from '../support/spec.ts';
import { example } from './support.ts';

/** Fetch `path` from a server that answers so. */
async function get(path: string, answer: RequestListener): Promise<Outcome> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await runCommand([example('http_get.lua'), '--', `http://127.0.0.1:${port}${path}`]);
  } finally {
    server.close();
  }
}

test('http_get: a body of a known length', { timeout: 300_000 }, async () => {
  const outcome = await get('/page?x=1', (request, response) => {
    const body = `you asked for ${request.url} on ${request.headers.host?.replace(/\d+$/, 'PORT')}\n`;
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
  assert.deepEqual(
    [outcome.stdout, outcome.stderr, outcome.code],
    ['you asked for /page?x=1 on 127.0.0.1:PORT\n', '', 0],
  );
});

test('http_get: chunks, of which some are larger than any buffer', {
  timeout: 300_000,
}, async () => {
  const big = 'abcdefghij'.repeat(50_000);
  const outcome = await get('', (_request, response) => {
    response.write('first\r\n');
    response.write(big);
    setTimeout(() => response.end('last'), 20);
  });
  assert.equal(outcome.stdout, `first\r\n${big}last`.replaceAll('\r', '\r'));
  assert.equal(outcome.code, 0);
});

test('http_get: a body that ends with the connection', { timeout: 300_000 }, async () => {
  const outcome = await get('/', (request) => {
    request.socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end');
  });
  assert.deepEqual([outcome.stdout, outcome.code], ['until the end', 0]);
});

test('http_get: errors', { timeout: 300_000 }, async () => {
  const missing = await get('/nothing', (_request, response) => {
    response.statusCode = 404;
    response.end('no such page\n');
  });
  assert.deepEqual(
    [missing.stdout, missing.stderr, missing.code],
    ['no such page\n', 'http_get: 404 Not Found\n', 1],
  );
  const url = await runCommand([example('http_get.lua'), '--', 'ftp://x/']);
  assert.deepEqual([url.stderr, url.code], ['http_get: not a URL of HTTP: ftp://x/\n', 1]);
  const refused = await runCommand([example('http_get.lua'), '--', 'http://127.0.0.1:1/']);
  assert.equal(refused.stderr, 'http_get: cannot connect to 127.0.0.1:1: Connection refused\n');
});
