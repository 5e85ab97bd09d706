/** TCP echo beside a C server and lua-luv: throughput of small messages, many connections, memory. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Background, median } from './measure.ts';
import { compile, cpuSeconds, residentBytes, runClient } from './net/programs.ts';
import { type Goal, goal, type Options, ratio, type Section, table, unmeasured } from './report.ts';

const folder = join(import.meta.dirname, 'net');
const CONNECTIONS = 50;
const BYTES = 64;

interface Server {
  name: string;
  command: string[];
}

export async function net(options: Options, progress: (line: string) => void): Promise<Section> {
  const client = compile('echo_client');
  const perilune: Server = {
    name: 'perilune',
    command: [options.perilune, join(folder, 'echo.lua')],
  };
  const c: Server = { name: 'C, epoll', command: [compile('echo_server')] };
  const luv = luvServer();
  const servers = [perilune, c, ...(luv ? [luv] : [])];

  const rates = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  const costs = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
  for (let i = 0; i < options.runs; i++) {
    progress(`throughput, round ${i + 1}`);
    for (const { name, command } of i % 2 === 0 ? servers : servers.toReversed()) {
      const server = new Background(command);
      const load = ['ping', await server.line(), CONNECTIONS, BYTES];
      await runClient(client, [...load, options.quick ? 0.3 : 1]); // compiled, and buffers grown
      const before = cpuSeconds(server.program());
      const report = await runClient(client, [...load, options.quick ? 0.5 : 2]);
      const [rate = 0, count = 1] = report.split(' ').map(Number);
      costs.get(name)?.push(((cpuSeconds(server.program()) - before) / count) * 1e6);
      rates.get(name)?.push(rate);
      await server.stop();
    }
  }
  const best = (name: string): number => Math.max(...(rates.get(name) ?? []));
  const middle = (name: string): number => median(rates.get(name) ?? []);

  const limit = openFiles() - 50;
  const counts = [1000, 10_000].map((n) => Math.min(n, limit));
  const memory = new Map<string, Held[]>();
  for (const { name, command } of servers) {
    for (const count of counts) {
      progress(`${count} connections: ${name}`);
      memory.set(name, [...(memory.get(name) ?? []), await hold(client, command, count)]);
    }
  }

  const most = memory.get('perilune')?.[1];
  const goals: Goal[] = [
    goal('TCP echo: messages/s ÷ C server’s', '≥', 0.6, best('perilune') / best(c.name), ratio),
    goal('the same, stricter budget', '≥', 0.7, best('perilune') / best(c.name), ratio),
    luv
      ? goal('TCP echo: messages/s ÷ lua-luv’s', '≥', 1, best('perilune') / best(luv.name), ratio)
      : unmeasured('TCP echo: messages/s ÷ lua-luv’s', '≥ 1.00×', 'no lua-luv here'),
    {
      what: 'connections open at once, each echoing',
      goal: '10000',
      measured: `${counts[1]}${counts[1] === 10_000 ? '' : ', the limit on open files here'}`,
      met: counts[1] === 10_000,
    },
    goal(
      `memory per idle connection, of ${counts[1]}`,
      '≤',
      4096,
      most?.bytes ?? Number.NaN,
      (n) => `${n.toFixed(0)} B`,
    ),
  ];
  return {
    title: 'TCP echo',
    text: [
      `Ping-pong of ${BYTES} bytes over ${CONNECTIONS} connections, one client program in C for all, on`,
      'loopback; best (median) of the runs. The client and the server share the machine’s cores.\n',
      table(
        ['server', 'messages/s', '÷ C', 'CPU of the server, µs a message'],
        servers.map(({ name }) => [
          name,
          `${best(name).toFixed(0)} (${middle(name).toFixed(0)})`,
          ratio(best(name) / best(c.name)),
          Math.min(...(costs.get(name) ?? [])).toFixed(2),
        ]),
      ),
      'Connections held open, after one echo each and ten quiet seconds: resident memory above that with',
      'none (after 200 came and went), per connection. What the kernel keeps for a socket is not in it.\n',
      table(
        [
          'server',
          ...counts.map((n) => `${n} connections, bytes each`),
          'time to open and echo, s',
        ],
        servers.map(({ name }) => {
          const held = memory.get(name) ?? [];
          return [
            name,
            ...held.map(({ bytes }) => bytes.toFixed(0)),
            held.map(({ seconds }) => seconds.toFixed(2)).join(' / '),
          ];
        }),
      ),
    ].join('\n'),
    goals,
  };
}

/** Milliseconds after which connections are idle. */
const QUIET = 10_000;

interface Held {
  bytes: number;
  seconds: number;
}

async function hold(client: string, command: string[], count: number): Promise<Held> {
  const server = new Background(command);
  const port = await server.line();
  const open = async (connections: number): Promise<Background> => {
    const held = new Background([client, 'hold', port, String(connections), String(BYTES)]);
    if ((await held.line()) !== 'ready') throw new Error(`${command[0]}: connections were refused`);
    return held;
  };
  await (await open(200)).finish(); // all is loaded and compiled
  await setTimeout(300);
  const before = residentBytes(server.program());
  const start = performance.now();
  const held = await open(count);
  const seconds = (performance.now() - start) / 1000;
  await setTimeout(QUIET);
  const after = residentBytes(server.program());
  await held.finish();
  await server.stop();
  return { bytes: (after - before) / count, seconds };
}

function luvServer(): Server | undefined {
  const lua = ['luajit', 'lua5.1'].find(
    (name) => spawnSync(name, ['-e', "require 'luv'"]).status === 0,
  );
  return (
    (lua && { name: `lua-luv, ${lua}`, command: [lua, join(folder, 'luv_echo.lua')] }) || undefined
  );
}

/** How many descriptors a process may open. */
function openFiles(): number {
  const line = /Max open files\s+\S+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'));
  return Number(line?.[1] ?? 1024);
}
