/**
 * Question: how much memory does an idle TCP connection take in a server, besides the kernel's?
 *
 *   node bench/net/idle.ts [connections = 9000] [command that prints its port…]
 *
 * Each connection echoes once and is then held open. The limit on open files must allow them; the
 * client and the server have one descriptor each. Compares resident memory before and after.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { compile, residentBytes, startServer, stopServer } from './programs.ts';

const [count = '9000', ...command] = process.argv.slice(2);
const io = [process.execPath, join(import.meta.dirname, 'echo_io.ts')];
const client = compile('echo_client');
const server = await startServer(command.length > 0 ? command : io);

/** Open connections and keep them. @returns how to let them go */
async function hold(connections: number | string): Promise<() => Promise<void>> {
  const child = spawn(client, ['hold', String(server.port), String(connections), '64'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const part of child.stdout) if (String(part).includes('ready')) break;
  return () =>
    new Promise((resolve) => {
      child.once('exit', () => setTimeout(resolve, 200));
      child.stdin.end('\n');
    });
}

await (await hold(100))(); // everything is loaded and compiled
const before = residentBytes(server.pid);
const letGo = await hold(count);
const after = residentBytes(server.pid);
await letGo();
await stopServer(server);
console.log(`${count} connections: ${Math.round((after - before) / Number(count))} bytes each`);
