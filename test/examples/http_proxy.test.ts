import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server as NetServer } from 'node:net';
import test from 'node:test';
import { certificates, noCertificates } from '../support/certificates.ts';
import { Client, startServer } from './support.ts';

const curl = spawnSync('curl', ['--version']).status === 0;

function listen(server: NetServer): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
  );
}

interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: string;
}

function ask(
  port: number,
  agent: Agent,
  path: string,
  { method = 'GET', body = '', chunked = false } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = chunked ? {} : { 'Content-Length': body.length };
    const question = request(
      { port, host: '127.0.0.1', path, method, agent, headers },
      (answer) => {
        let text = '';
        answer.setEncoding('latin1');
        answer.on('data', (part) => {
          text += part;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode!, headers: answer.headers, body: text }),
        );
      },
    );
    question.on('error', reject);
    if (chunked) question.write(body.slice(0, 10));
    question.end(chunked ? body.slice(10) : body);
  });
}

test('http_proxy: connections are kept on both sides; bodies of all kinds', {
  timeout: 300_000,
}, async () => {
  let connections = 0;
  const big = 'abcdefghij'.repeat(200_000);
  const behind = createServer((question, answer) => {
    let size = 0;
    question.on('data', (part) => {
      size += part.length;
    });
    question.on('end', () => {
      if (question.url === '/big') answer.end(big);
      else if (question.url === '/chunks') {
        answer.write('one ');
        setImmediate(() => answer.end('two'));
      } else if (question.url === '/nothing') answer.writeHead(204).end();
      else {
        answer.setHeader('X-Seen', JSON.stringify(question.headers));
        answer.end(`${question.method} ${question.url} ${size}`);
      }
    });
  });
  behind.on('connection', () => connections++);
  const behindPort = await listen(behind);
  const proxy = await startServer('http_proxy.lua', ['0', `127.0.0.1:${behindPort}`]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = (path: string, options = {}) => ask(proxy.port, agent, path, options);
  try {
    const first = await get('/a?b=c');
    assert.deepEqual([first.status, first.body], [200, 'GET /a?b=c 0']);
    const seen = JSON.parse(String(first.headers['x-seen']));
    assert.equal(seen['x-forwarded-for'], '127.0.0.1');
    assert.equal(first.headers.connection, 'keep-alive');
    assert.equal((await get('/big')).body, big);
    assert.equal((await get('/chunks')).body, 'one two');
    assert.deepEqual([(await get('/nothing')).status, (await get('/nothing')).body], [204, '']);
    assert.equal((await get('/x', { method: 'HEAD' })).body, '');
    assert.equal((await get('/p', { method: 'POST', body: big })).body, `POST /p ${big.length}`);
    const parts = { method: 'PUT', body: big, chunked: true };
    assert.equal((await get('/q', parts)).body, `PUT /q ${big.length}`);
    assert.equal(connections, 1, 'the connection behind was used again');
    const many = new Agent({ keepAlive: true });
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(proxy.port, many, `/${i}`)),
    );
    assert.deepEqual(
      all.map(({ body }) => body),
      all.map((_, i) => `GET /${i} 0`),
    );
    // The server closes what it had kept: the next request goes over a new connection.
    behind.closeIdleConnections();
    assert.equal((await get('/again')).body, 'GET /again 0');
    many.destroy();
    if (curl) {
      const child = spawn(
        'curl',
        [
          '--silent',
          '--max-time',
          '280',
          '--data',
          'x'.repeat(5000),
          '--header',
          'Expect: 100-continue',
        ].concat([1, 2].map((i) => `http://127.0.0.1:${proxy.port}/curl${i}`)),
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let out = '';
      child.stdout.on('data', (data) => {
        out += data;
      });
      await new Promise((resolve) => child.on('close', resolve));
      assert.equal(out, 'POST /curl1 5000POST /curl2 5000');
    }
  } finally {
    agent.destroy();
    await proxy.stop();
    behind.closeAllConnections();
    behind.close();
  }
});

test('http_proxy: what is ambiguous is refused, and what fails is told', {
  timeout: 300_000,
}, async () => {
  const got: string[] = [];
  const behind = createTcp((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      got.push(data.toString('latin1'));
      socket.end(
        String(data).includes('/garbage') ? 'what?\r\n\r\n' : 'HTTP/1.0 200 Fine\r\n\r\nto the end',
      );
    });
  });
  const behindPort = await listen(behind);
  const proxy = await startServer('http_proxy.lua', ['0', `127.0.0.1:${behindPort}`]);
  const lost = await startServer('http_proxy.lua', ['0', '127.0.0.1:1']);
  const exchange = async (text: string, port = proxy.port): Promise<string> => {
    const client = new Client(port);
    client.send(text);
    await client.closed();
    return client.text;
  };
  try {
    const bad = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
    for (const text of [
      'nonsense\r\n\r\n',
      'GET /\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n', // no host
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345',
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n',
      'GET / HTTP/1.1\r\nHost : a\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n',
    ]) {
      assert.equal(await exchange(text), bad, JSON.stringify(text));
    }
    assert.deepEqual(got, [], 'none of that has reached the server');
    assert.match(
      await exchange(`GET / HTTP/1.1\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`),
      /^HTTP\/1.1 431 /,
    );
    assert.match(await exchange('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1.1 501 /);
    const host = 'HTTP/1.1\r\nHost: a\r\n\r\n';
    assert.match(await exchange(`GET /garbage ${host}`), /^HTTP\/1.1 502 /);
    assert.match(await exchange(`GET / ${host}`, lost.port), /^HTTP\/1.1 502 /);
    assert.equal(
      await exchange(`GET / ${host}`),
      'HTTP/1.1 200 Fine\r\nConnection: close\r\nVia: 1.1 perilune\r\n\r\nto the end',
    );
    // Fields about the connection stay behind.
    got.length = 0;
    await exchange(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Yours: 2\r\n\r\n',
    );
    assert.equal(
      got[0],
      'GET / HTTP/1.1\r\nHost: a\r\nX-Yours: 2\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nVia: 1.1 perilune\r\n\r\n',
    );
  } finally {
    await proxy.stop();
    await lost.stop();
    behind.close();
  }
});

test('http_proxy with a certificate: curl over TLS', {
  timeout: 300_000,
  skip: noCertificates || (curl ? false : 'no curl here'),
}, async () => {
  const big = 'abcdefghij'.repeat(100_000);
  const behind = createServer((question, answer) => {
    let size = 0;
    question.on('data', (part) => {
      size += part.length;
    });
    question.on('end', () => {
      const proto = question.headers['x-forwarded-proto'];
      answer.end(question.url === '/big' ? big : `${question.method} ${proto} ${size}\n`);
    });
  });
  const behindPort = await listen(behind);
  const folder = certificates();
  const pem = ['chain.pem', 'chain.key'].map((name) => `${folder}/${name}`);
  const proxy = await startServer('http_proxy.lua', ['0', `127.0.0.1:${behindPort}`, ...pem]);
  const fetch = (...args: string[]): Promise<{ code: number; out: string }> =>
    new Promise((resolve) => {
      const child = spawn('curl', ['--silent', '--max-time', '280', ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let out = '';
      child.stdout.on('data', (data) => {
        out += data;
      });
      child.on('close', (code) => resolve({ code: code ?? -1, out }));
    });
  writeFileSync(`${folder}/big`, big);
  const trust = ['--cacert', `${folder}/ca.pem`];
  const url = (path: string): string => `https://localhost:${proxy.port}${path}`;
  try {
    const times = '%{num_connects} ';
    const two = await fetch(...trust, '--write-out', times, url('/a'), url('/b'));
    assert.deepEqual(two, { code: 0, out: 'GET https 0\n1 GET https 0\n0 ' });
    assert.equal((await fetch(...trust, url('/big'))).out, big);
    const post = await fetch(
      ...trust,
      '--tls-max',
      '1.2',
      '--data-binary',
      `@${folder}/big`,
      url('/p'),
    );
    assert.equal(post.out, `POST https ${big.length}\n`);
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, i) => fetch(...trust, url(`/${i}`))),
    );
    assert.ok(many.every(({ out }) => out === 'GET https 0\n'));
    assert.equal((await fetch(url('/'))).code, 60, 'curl trusts nobody whom it does not know');
    const plain = new Client(proxy.port);
    plain.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await plain.closed();
    assert.doesNotMatch(plain.text, /HTTP/);
    assert.equal((await fetch(...trust, url('/still'))).out, 'GET https 0\n');
  } finally {
    await proxy.stop();
    behind.closeAllConnections();
    behind.close();
  }
});
