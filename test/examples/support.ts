/** Running the programs in examples/ as their users do: in a process, over sockets. */
import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { MAIN } from '../support/spec.ts';

export const example = (name: string): string =>
  join(import.meta.dirname, '..', '..', 'examples', name);

export interface Server {
  readonly port: number;
  readonly pid: number;
  /** What it has printed so far. */
  output(): string;
  stop(): Promise<void>;
}

/** Start a server; with port 0 on one of the kernel's choice. It prints `listening on ADDRESS:PORT`. */
export async function startServer(name: string, args: string[] = ['0']): Promise<Server> {
  const child = spawn(process.execPath, ['--stack-size=3900', MAIN, example(name), '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      const found = /^listening on .*:(\d+)$/m.exec(output);
      if (found !== null) resolve(Number(found[1]));
    });
    child.on('close', () => reject(new Error(`${name} ended: ${output}`)));
  });
  const stop = (): Promise<void> => {
    child.kill();
    return ended;
  };
  return { port, pid: child.pid!, output: () => output, stop };
}

/** A client that is driven by lines. */
export class Client {
  readonly socket: Socket;
  text = '';
  private wake: () => void = () => {};

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('close', () => this.wake());
    this.socket.on('data', (data) => {
      this.text += data.toString('latin1');
      this.wake();
    });
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Wait until the text received contains this; it and what came before is taken off. */
  async expect(wanted: string | RegExp): Promise<string> {
    for (;;) {
      const at = typeof wanted === 'string' ? this.text.indexOf(wanted) : this.text.search(wanted);
      if (at >= 0) {
        const length =
          typeof wanted === 'string' ? wanted.length : wanted.exec(this.text)![0].length;
        const taken = this.text.slice(0, at + length);
        this.text = this.text.slice(at + length);
        return taken;
      }
      if (this.socket.destroyed) throw new Error(`closed; still there: ${this.text.slice(0, 200)}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  /** Wait until the other side has closed the connection. */
  async closed(): Promise<void> {
    while (!this.socket.destroyed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }
}
