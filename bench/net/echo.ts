/**
 * Question: how much of a C epoll server's throughput does a TCP echo keep?
 *
 *   node bench/net/echo.ts [--connections 50] [--bytes 64] [--seconds 2] [--rounds 3] [name=command…]
 *
 * Runs the C server, our io layer, the node backend and the given commands (each prints its port as
 * its first line) against one client, round by round, every second round in reverse order, and
 * prints the median of each with the CPU time that the server took.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compile, cpuSeconds, runClient, startServer, stopServer } from './programs.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    connections: { type: 'string', default: '50' },
    bytes: { type: 'string', default: '64' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
  },
});

const client = compile('echo_client');
const io = [process.execPath, join(import.meta.dirname, 'echo_io.ts'), '0'];
const servers: [string, readonly string[]][] = [
  ['C epoll', [compile('echo_server')]],
  ['io', io],
  ['io, node backend', [...io, 'node']],
  ...positionals.map((text): [string, readonly string[]] => {
    const at = text.indexOf('=');
    return [text.slice(0, at), text.slice(at + 1).split(' ')];
  }),
];

const rates = new Map<string, number[]>(servers.map(([name]) => [name, []]));
const costs = new Map<string, number[]>(servers.map(([name]) => [name, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  const order = round % 2 === 0 ? servers : servers.toReversed();
  for (const [name, command] of order) {
    const server = await startServer(command);
    const measure = async (seconds: string) => {
      const load = [server.port, values.connections, values.bytes, seconds];
      return (await runClient(client, ['ping', ...load])).split(' ').map(Number);
    };
    await measure('0.5'); // compiled, and buffers grown
    const before = cpuSeconds(server.pid);
    const [rate, count] = await measure(values.seconds);
    costs.get(name)!.push(((cpuSeconds(server.pid) - before) / count!) * 1e6);
    rates.get(name)!.push(rate!);
    await stopServer(server);
  }
}

const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1]!;
const limit = median(rates.get('C epoll')!);
console.log(`${values.connections} connections × ${values.bytes} bytes, ${values.rounds} rounds\n`);
console.log('| server | messages/s | of the C server | CPU µs a message |');
console.log('|---|---|---|---|');
for (const [name] of servers) {
  const rate = median(rates.get(name)!);
  const cost = median(costs.get(name)!).toFixed(2);
  console.log(`| ${name} | ${rate} | ${(rate / limit).toFixed(2)} | ${cost} |`);
}
