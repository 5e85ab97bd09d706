/** TLS beside `openssl` and Node: handshakes, bulk, memory. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Background, median, root, run } from './measure.ts';
import { cpuSeconds, residentBytes } from './net/programs.ts';
import { type Goal, goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

const folder = join(import.meta.dirname, 'net');
const keys = join(root, 'build/bench/tls');
const OPENSSL = 'openssl s_server';

function openssl(...args: string[]): string {
  const done = spawnSync('openssl', args, { cwd: keys, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`openssl ${args[0]}: ${done.error ?? done.stderr}`);
  return done.stdout + done.stderr;
}

/** A self-signed certificate for 127.0.0.1: NAME.pem, NAME.key. */
function certificate(name: string, key: string[]): void {
  if (existsSync(join(keys, `${name}.pem`))) return;
  openssl(
    ...['req', '-x509', ...key, '-nodes', '-days', '3650', '-subj', '/CN=127.0.0.1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', `${name}.key`, '-out', `${name}.pem`],
  );
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

interface Started {
  server: Background;
  port: string;
}

/** @param room  what our server reads at a time: 64 KiB for bulk, as Node does */
async function start(name: string, options: Options, key: string, room = 1024): Promise<Started> {
  const pem = [join(keys, `${key}.pem`), join(keys, `${key}.key`)];
  if (name === OPENSSL) {
    const port = String(await freePort());
    const flags = `-accept 127.0.0.1:${port} -cert ${pem[0]} -key ${pem[1]} -quiet`;
    const server = new Background(['sh', '-c', `exec openssl s_server ${flags} > /dev/null 2>&1`]);
    await setTimeout(500);
    return { server, port };
  }
  const command =
    name === 'perilune'
      ? [options.perilune, join(folder, 'tls_server.lua'), '--', ...pem, String(room)]
      : [process.execPath, join(folder, 'node_tls.cjs'), 'server', ...pem];
  const server = new Background(command);
  return { server, port: await server.line() };
}

const SERVERS = ['perilune', OPENSSL, 'Node, tls'];

interface Measured {
  rates: number[];
  costs: number[];
}

const empty = (): Map<string, Measured> =>
  new Map(SERVERS.map((name) => [name, { rates: [], costs: [] }]));

const LOADS = [
  { name: 'ECDSA P-256', key: 'ec', flag: '-new' },
  { name: 'RSA 2048', key: 'rsa', flag: '-new' },
  { name: 'resumed', key: 'ec', flag: '-reuse' },
];

export async function tls(options: Options, progress: (line: string) => void): Promise<Section> {
  if (spawnSync('openssl', ['version']).status !== 0) {
    return {
      title: 'TLS',
      text: 'No openssl here.\n',
      goals: [unmeasured('TLS', '–', 'no openssl here')],
    };
  }
  mkdirSync(keys, { recursive: true });
  certificate('ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']);
  certificate('rsa', ['-newkey', 'rsa:2048']);
  const goals: Goal[] = [];
  const sections: string[] = [];

  for (const load of LOADS) {
    const measured = empty();
    for (let i = 0; i < options.runs; i++) {
      progress(`handshakes, ${load.name}, round ${i + 1}`);
      for (const name of i % 2 === 0 ? SERVERS : SERVERS.toReversed()) {
        const { server, port } = await start(name, options, load.key);
        const shake = (seconds: string): number => {
          const args = ['-connect', `127.0.0.1:${port}`, load.flag, '-time', seconds, '-tls1_3'];
          return Number(/(\d+) connections in \d+ real/.exec(openssl('s_time', ...args))![1]);
        };
        shake('1');
        const before = cpuSeconds(server.program());
        const began = performance.now();
        const count = shake(options.quick ? '1' : '2');
        const { rates, costs } = measured.get(name)!;
        rates.push((count * 1000) / (performance.now() - began));
        costs.push(((cpuSeconds(server.program()) - before) / count) * 1e6);
        await server.stop();
      }
    }
    const cost = (name: string): number => Math.min(...measured.get(name)!.costs);
    sections.push(
      table(
        [`handshakes, ${load.name}`, 'a second', 'CPU of the server, µs each', '÷ openssl'],
        SERVERS.map((name) => {
          const { rates } = measured.get(name)!;
          const best = `${Math.max(...rates).toFixed(0)} (${median(rates).toFixed(0)})`;
          return [name, best, cost(name).toFixed(0), ratio(cost(name) / cost(OPENSSL))];
        }),
      ),
    );
    const share = cost(OPENSSL) / cost('perilune');
    const what = `TLS handshakes per CPU second, ${load.name}`;
    goals.push(goal(`${what}: ÷ s_server’s`, '≥', 0.7, share, ratio));
    goals.push(goal(`${what}: ÷ Node’s`, '≥', 1, cost('Node, tls') / cost('perilune'), ratio));
  }

  const megabytes = options.quick ? 200 : 1000;
  const received = empty();
  const sent = empty();
  for (let i = 0; i < options.runs; i++) {
    progress(`bulk, round ${i + 1}`);
    for (const name of i % 2 === 0 ? SERVERS : SERVERS.toReversed()) {
      const { server, port } = await start(name, options, 'ec', 65_536);
      const send = (amount: number, program: string): number => {
        const args = [join(keys, 'ec.pem'), port, String(amount)];
        return run(
          program === 'perilune'
            ? [options.perilune, join(folder, 'tls_client.lua'), '--', ...args]
            : [process.execPath, join(folder, 'node_tls.cjs'), 'client', ...args],
        ).cpu;
      };
      send(20, 'perilune');
      const before = cpuSeconds(server.program());
      const began = performance.now();
      const cpu = send(megabytes, 'perilune');
      received.get(name)!.rates.push((megabytes * 1000) / (performance.now() - began));
      received.get(name)!.costs.push((cpuSeconds(server.program()) - before) / megabytes);
      if (name === 'perilune') {
        sent.get('perilune')!.costs.push(cpu / megabytes);
        sent.get('Node, tls')!.costs.push(send(megabytes, 'Node, tls') / megabytes);
      }
      await server.stop();
    }
  }
  const speed = openssl('speed', '-seconds', '1', '-bytes', '16384', '-evp', 'aes-256-gcm');
  const limit = Number(/AES-256-GCM\s+([\d.]+)k/i.exec(speed)![1]) / 1000;
  const perSecond = (all: Map<string, Measured>, name: string): number =>
    1 / Math.min(...all.get(name)!.costs);
  sections.push(
    table(
      ['receiving, one connection', 'MB/s', 'MB per CPU second of the receiver', '÷ openssl'],
      SERVERS.map((name) => {
        const { rates } = received.get(name)!;
        const best = perSecond(received, name);
        return [
          name,
          `${Math.max(...rates).toFixed(0)} (${median(rates).toFixed(0)})`,
          best.toFixed(0),
          ratio(best / perSecond(received, OPENSSL)),
        ];
      }),
    ),
    table(
      ['sending, start-up included', 'MB per CPU second of the sender'],
      ['perilune', 'Node, tls'].map((name) => [name, perSecond(sent, name).toFixed(0)]),
    ),
    `The cipher alone, \`openssl speed -evp aes-256-gcm\`, 16 KiB: ${limit.toFixed(0)} MB/s.\n`,
  );
  const bulk = perSecond(received, 'perilune');
  const others = [OPENSSL, 'Node, tls'] as const;
  goals.push(
    goal('TLS bulk: ÷ s_server’s', '≥', 0.7, bulk / perSecond(received, others[0]), ratio),
    goal('TLS bulk: ÷ Node’s', '≥', 1, bulk / perSecond(received, others[1]), ratio),
  );

  const connections = 1000;
  const held: string[][] = [];
  for (const name of ['perilune', 'Node, tls']) {
    progress(`${connections} connections: ${name}`);
    const { server, port } = await start(name, options, 'ec');
    const hold = async (count: number): Promise<Background> => {
      const program = [options.perilune, join(folder, 'tls_hold.lua'), '--'];
      const client = new Background([...program, join(keys, 'ec.pem'), port, String(count)]);
      await client.line();
      return client;
    };
    await (await hold(200)).finish();
    await setTimeout(300);
    const before = residentBytes(server.program());
    const client = await hold(connections);
    await setTimeout(10_000);
    const bytes = (residentBytes(server.program()) - before) / connections;
    held.push([name, (bytes / 1024).toFixed(1)]);
    await client.finish();
    await server.stop();
  }
  sections.push(table([`${connections} connections, idle for 10 s`, 'KiB each'], held));

  return {
    title: 'TLS',
    text: [
      'TLS 1.3 on loopback. `openssl s_time` shakes hands with each server for 2 s, one connection after the other; the',
      'sender of the bulk is one perilune program for all receivers. Best (median) of the runs.\n',
      ...sections,
    ].join('\n'),
    goals,
  };
}
