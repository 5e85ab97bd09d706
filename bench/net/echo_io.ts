/**
 * Echo server directly over src/io, with callbacks in place of fibers: what the layers above can
 * reach at best.
 *
 *   node bench/net/echo_io.ts [port [node]]   prints the port that it listens on; `node`: that backend
 */
import { parseAddress } from '../../src/io/address.ts';
import { backend } from '../../src/io/backend.ts';
import { IoGroup } from '../../src/io/group.ts';
import { nodeBackend } from '../../src/io/node-backend.ts';
import { Operation, PENDING } from '../../src/io/operation.ts';
import type { TcpSocket } from '../../src/io/transport.ts';

const group = new IoGroup();
const io = process.argv[3] === 'node' ? nodeBackend : backend();
const acceptor = io.tcpAcceptor(group);
acceptor.open(4);
acceptor.setOption('reuse_address', 1);
acceptor.bind(parseAddress('127.0.0.1')!, Number(process.argv[2] ?? 0));
acceptor.listen(4096);
process.stdout.write(`${acceptor.localEndpoint().port}\n`);

class Connection {
  private readonly socket: TcpSocket;
  private readonly bytes = new Uint8Array(1024);
  private readonly op: Operation;
  private left = 0; // bytes to write; 0: reading
  private from = 0;

  constructor(socket: TcpSocket) {
    this.socket = socket;
    this.op = new Operation((result) => this.run(result));
    this.run(this.next());
  }

  private next(): number {
    return this.left === 0
      ? this.socket.read(this.op, this.bytes, 0, this.bytes.length)
      : this.socket.write(this.op, this.bytes, this.from, this.left);
  }

  private run(result: number): void {
    while (result !== PENDING) {
      if (result <= 0) {
        this.socket.close();
        return;
      }
      if (this.left === 0) {
        this.from = 0;
        this.left = result;
      } else {
        this.from += result;
        this.left -= result;
      }
      result = this.next();
    }
  }
}

const accepting = new Operation(accept);
function accept(result: number): void {
  while (result === 0) {
    new Connection(accepting.value as TcpSocket);
    result = acceptor.accept(accepting);
  }
  if (result !== PENDING) throw new Error(`accept: ${result}`);
}
accept(acceptor.accept(accepting));
