import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net';
import test from 'node:test';
import { Client, startServer } from './support.ts';

const curl = spawnSync('curl', ['--version']).status === 0;

function listen(server: NetServer, host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve) =>
    server.listen(0, host, () => resolve((server.address() as AddressInfo).port)),
  );
}

/** Run curl. @returns what it prints, and its exit code */
function run(args: string[]): Promise<{ out: string; code: number }> {
  return new Promise((resolve) => {
    const child = spawn('curl', ['--silent', '--max-time', '280', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (data) => {
      out += data;
    });
    child.on('close', (code) => resolve({ out, code: code ?? -1 }));
  });
}

const port = (n: number): string => String.fromCharCode(n >> 8, n & 0xff);

test('socks5_server: curl fetches through it, by name and by address', {
  skip: curl ? false : 'no curl here',
  timeout: 300_000,
}, async () => {
  const big = 'z'.repeat(3_000_000);
  const http = createHttp((request, response) => {
    request.resume();
    request.on('end', () => response.end(request.url === '/big' ? big : `got ${request.url}`));
  });
  const webPort = await listen(http);
  const proxy = await startServer('socks5_server.lua');
  const locked = await startServer('socks5_server.lua', ['0', 'user', 'secret']);
  try {
    const via = (kind: string) => [`--${kind}`, `127.0.0.1:${proxy.port}`];
    const byName = await run([...via('socks5-hostname'), `http://localhost:${webPort}/name`]);
    assert.equal(byName.out, 'got /name');
    const byAddress = await run([...via('socks5'), `http://127.0.0.1:${webPort}/address`]);
    assert.equal(byAddress.out, 'got /address');
    const large = await run([...via('socks5'), `http://127.0.0.1:${webPort}/big`]);
    assert.equal(large.out, big);
    const refused = await run([...via('socks5'), 'http://127.0.0.1:1/']);
    assert.equal(refused.code, 97); // CURLE_PROXY
    const target = `http://127.0.0.1:${webPort}/locked`;
    const allowed = await run(['--proxy', `socks5://user:secret@127.0.0.1:${locked.port}`, target]);
    assert.equal(allowed.out, 'got /locked');
    const denied = await run(['--proxy', `socks5://user:wrong@127.0.0.1:${locked.port}`, target]);
    assert.equal(denied.code, 97);
  } finally {
    await proxy.stop();
    await locked.stop();
    http.close();
  }
});

test('socks5_server: answers of errors, and half of a connection', {
  timeout: 300_000,
}, async () => {
  const proxy = await startServer('socks5_server.lua');
  // Says what it got once its client has finished sending.
  const counter = createServer({ allowHalfOpen: true }, (socket) => {
    let count = 0;
    socket.on('data', (data) => {
      count += data.length;
    });
    socket.on('end', () => socket.end(`${count} bytes`));
    socket.on('error', () => {});
  });
  const counterPort = await listen(counter);
  const hello = '\x05\x01\x00';
  try {
    const one = new Client(proxy.port);
    for (const byte of `${hello}\x05\x01\x00\x01\x7f\0\0\x01${port(counterPort)}`) one.send(byte);
    await one.expect('\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01');
    one.send('x'.repeat(100_000));
    one.socket.end();
    await one.expect('100000 bytes');
    await one.closed();
    const cases: [request: string, answer: string][] = [
      ['\x05\x02\x00\x01\x7f\0\0\x01\0\x50', '\x05\x07'], // BIND
      ['\x05\x01\x00\x09', '\x05\x08'], // an unknown kind of address
      ['\x05\x01\x00\x01\x7f\0\0\x01\0\x01', '\x05\x05'], // refused
      ['\x05\x01\x00\x03\x00\0\x50', '\x05\x05'], // no name: this machine
      ['\x05\x01\x00\x03\x03a\0b\0\x50', '\x05\x04'], // what can't be a name
    ];
    for (const [request, reply] of cases) {
      const client = new Client(proxy.port);
      client.send(hello + request);
      await client.expect(`\x05\x00${reply}`);
      await client.closed();
    }
    const old = new Client(proxy.port);
    old.send('\x04\x01\x00\x50\x7f\0\0\x01\0');
    await old.closed();
    const picky = new Client(proxy.port);
    picky.send('\x05\x01\x02');
    await picky.expect('\x05\xff');
    await picky.closed();
  } finally {
    await proxy.stop();
    counter.close();
  }
});
