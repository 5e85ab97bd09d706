/**
 * Which implementation of io/transport.ts this process has: our own system calls where the addon
 * loads, Node's modules elsewhere. Chosen at the first use, once.
 *
 *   const group = new IoGroup();                    // one per VM; group.closeAll() at its end
 *   const acceptor = backend().tcpAcceptor(group);
 *   acceptor.open(4); acceptor.bind(address, 0); acceptor.listen(SOMAXCONN);
 *   const result = acceptor.accept(op);             // 0, -errno or PENDING: io/operation.ts
 *   if (result === 0) serve(op.value as TcpSocket);
 */
import { nativeAvailable } from '../sys/native.ts';
import { nodeBackend } from './node-backend.ts';
import { standardStreams } from './stdio.ts';
import { NativeTcpAcceptor, NativeTcpSocket } from './tcp.ts';
import type { Backend } from './transport.ts';
import { NativeUdpSocket } from './udp.ts';

export const nativeBackend: Backend = {
  name: 'native',
  tcpSocket: (group) => new NativeTcpSocket(group),
  tcpAcceptor: (group) => new NativeTcpAcceptor(group),
  udpSocket: (group) => new NativeUdpSocket(group),
  standardStream: (fd) => standardStreams[fd],
};

let chosen: Backend | undefined;

export function backend(): Backend {
  chosen ??= nativeAvailable() ? nativeBackend : nodeBackend;
  return chosen;
}
