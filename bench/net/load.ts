/**
 * Question: does a server hold thousands of connections, whatever their clients do, and is all as before
 * when they have gone?
 *
 *   node bench/net/load.ts [--connections 10000] [--seconds 60] [--files N] [command that prints its port…]
 *
 * Clients send plainly, a byte at a time, half-close, reset, stall or idle (load_client.c), and come anew.
 * Prints the server's resident memory and descriptors each tenth of the time. Ends with 1 when a client got
 * a wrong byte, when descriptors are left, or when memory has grown by more than a sixth from the middle to
 * the end. Growth counts only while all connections are there, which takes a busy machine its time. With --files the
 * server may open so many descriptors, and has to do with EMFILE. (V8 lets garbage of thousands of connections gather before it collects: the first minute and a
 * half still grows, then it goes up and down: 250 to 310 MB with 10,000 clients, --seconds 200.)
 * Needs a limit on open files above the connections.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  compile,
  cpuSeconds,
  residentBytes,
  runClient,
  startServer,
  stopServer,
} from './programs.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '60' },
    files: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const root = join(import.meta.dirname, '..', '..');
const echo = [join(root, 'bin/perilune'), join(import.meta.dirname, 'load_server.lua')];
const client = compile('load_client');
const command = positionals.length > 0 ? positionals : echo;
const limited = ['sh', '-c', 'ulimit -n "$0" && exec "$@"', values.files ?? '', ...command];
const server = await startServer(values.files === undefined ? command : limited);
const most = Math.min(Number(values.connections), Number(values.files ?? Number.POSITIVE_INFINITY));

const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;
const megabytes = (): number => residentBytes(server.pid) / 1e6;

// What the first connection opens (the reactor) stays.
await runClient(client, [server.port, 10, 1.5]);
await setTimeout(500);
const before = descriptors();
console.log(`before: ${before} descriptors, ${megabytes().toFixed(0)} MB`);

let ended = false;
const load = runClient(client, [server.port, values.connections, seconds]).finally(() => {
  ended = true;
});
const memory: number[] = [];
while (!ended) {
  await Promise.race([setTimeout(seconds * 100), load]);
  if (ended) break;
  if (descriptors() >= 0.9 * most) memory.push(megabytes());
  const cpu = cpuSeconds(server.pid).toFixed(1);
  console.log(`${descriptors()} descriptors, ${megabytes().toFixed(0)} MB, ${cpu} s of CPU time`);
}
console.log((await load).trim());
let after = descriptors();
for (let i = 0; i < 50 && after > before; i++) {
  await setTimeout(100);
  after = descriptors();
}
console.log(`after: ${after} descriptors, ${megabytes().toFixed(0)} MB`);
await stopServer(server);

const [middle = 0, last = 0] = [memory[memory.length >> 1], memory.at(-1)];
const grown = memory.length < 3 ? 0 : last / middle - 1;
console.log(
  memory.length < 3
    ? 'too few connections for too long: whether memory grows is not known'
    : `memory from the middle to the end: ${(grown * 100).toFixed(1)} %`,
);
if (after > before || !(grown < 1 / 6)) {
  console.log('FAILED');
  process.exitCode = 1;
}
