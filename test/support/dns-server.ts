/**
 * A name server on 127.0.0.1, over UDP and TCP, for answers that /etc/hosts can't give. RFC 1035. It
 * is a process of its own, so that its sockets aren't taken for ones that the program left open.
 */
import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

/** Records of one name; an address is an A or AAAA record by its form. */
export interface Zone {
  readonly [name: string]: {
    readonly addresses?: readonly string[];
    readonly alias?: string;
    /** PTR */
    readonly pointer?: string;
    /** silent: no answer at all; garbage: what is no message; otherwise an RCODE */
    readonly fails?: 'silent' | 'garbage' | number;
    /** over UDP, only that the answer is too long for it */
    readonly truncated?: boolean;
  };
}

const TYPE = { A: 1, CNAME: 5, PTR: 12, AAAA: 28 } as const;

const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);

function addressBytes(text: string): Buffer {
  if (text.includes('.')) return Buffer.from(text.split('.').map(Number));
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex');
}

function record(name: string, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt16BE(data.length, 8); // a time to live of 0
  return Buffer.concat([nameBytes(name), fixed, data]);
}

/** The answer to a query, or undefined for none. */
function answer(query: Buffer, zone: Zone, stream: boolean): Buffer | undefined {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  const question = query.subarray(12, at + 5);
  let name = labels.join('.').toLowerCase();
  const known = zone[name];
  if (known?.fails === 'silent') return undefined;
  if (known?.fails === 'garbage') return Buffer.from('this is no message');
  const records: Buffer[] = [];
  const truncated = known?.truncated === true && !stream;
  for (let entry = known; entry !== undefined && !truncated; ) {
    if (entry.pointer !== undefined && type === TYPE.PTR) {
      records.push(record(name, TYPE.PTR, nameBytes(entry.pointer)));
    }
    for (const address of entry.addresses ?? []) {
      const kind = address.includes(':') ? TYPE.AAAA : TYPE.A;
      if (kind === type) records.push(record(name, kind, addressBytes(address)));
    }
    if (entry.alias === undefined) break;
    records.push(record(name, TYPE.CNAME, nameBytes(entry.alias)));
    name = entry.alias;
    entry = zone[name];
  }
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  const code = typeof known?.fails === 'number' ? known.fails : known === undefined ? 3 : 0;
  header.writeUInt16BE(0x8580 | (truncated ? 0x0200 : 0) | code, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, question, ...records]);
}

/** @returns the port */
async function serve(zone: Zone): Promise<number> {
  const tcp = net.createServer((socket) => {
    socket.on('error', () => {});
    let bytes = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      bytes = Buffer.concat([bytes, data]);
      while (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) {
        const end = 2 + bytes.readUInt16BE(0);
        const reply = answer(bytes.subarray(2, end), zone, true);
        bytes = bytes.subarray(end);
        if (reply === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const { port } = tcp.address() as net.AddressInfo;
  const udp = dgram.createSocket('udp4');
  udp.on('message', (query, from) => {
    const reply = answer(query, zone, false);
    if (reply !== undefined) udp.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, '127.0.0.1', resolve);
  });
  return port;
}

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

export async function startDnsServer(zone: Zone): Promise<DnsServer> {
  const file = fileURLToPath(import.meta.url);
  const child = spawn(process.execPath, [file, JSON.stringify(zone)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(Number(data)));
    child.once('close', () => reject(new Error('the name server ended')));
  });
  return {
    port,
    async close() {
      child.stdin.end();
      await closed;
    },
  };
}

if (import.meta.main) {
  process.stdout.write(`${await serve(JSON.parse(process.argv[2]!) as Zone)}\n`);
  process.stdin.on('end', () => process.exit()).resume();
}
