/**
 * UDP over descriptors: udp(7). The interface is that of io/transport.ts. A datagram of no bytes is
 * one like any other, so transfers of length 0 go to the kernel, too.
 */
import { EBADF, EINTR } from '../sys/errno.ts';
import { bytesReadable } from '../sys/fd.ts';
import {
  connect,
  ENDPOINT_SIZE,
  MSG_NOSIGNAL,
  MSG_PEEK,
  recvfrom,
  SOCK_DGRAM,
  sendto,
  setMembership,
  setMulticastInterface,
} from '../sys/socket.ts';
import type { IpAddress } from './address.ts';
import { UNAVAILABLE } from './datagrams.ts';
import type { Descriptor, DescriptorOptions } from './descriptor.ts';
import { packEndpoint, unpackEndpoint } from './endpoint.ts';
import type { IoGroup } from './group.ts';
import { type Operation, PENDING } from './operation.ts';
import { NativeConnectedSocket, scratch } from './socket.ts';
import type { UdpSocket } from './transport.ts';

const DATAGRAMS: DescriptorOptions = { levelReads: true, receivesAhead: true };

/** Where the last datagram was sent to, and that for system calls: who answers many does so to the same. Scopes may change. */
let toAddress: IpAddress | undefined;
let toPort = -1;
const to = new Uint8Array(ENDPOINT_SIZE);

export class NativeUdpSocket extends NativeConnectedSocket implements UdpSocket {
  constructor(group: IoGroup) {
    super(group, SOCK_DGRAM, DATAGRAMS);
  }

  connect(address: IpAddress, port: number): number {
    const opened = this.openFor(address);
    if (opened < 0) return opened;
    const endpoint = packEndpoint(address, port, scratch);
    let result: number;
    do result = connect(this.descriptor!.fd, endpoint);
    while (result === -EINTR);
    return result;
  }

  receiveFrom(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number {
    const { descriptor } = this;
    if (descriptor === undefined) return -EBADF;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    const { ahead } = descriptor;
    if (ahead?.any && descriptor.reads.head === null) {
      const result = ahead.take(op);
      op.clear();
      return result;
    }
    op.owner = this;
    return descriptor.start(op, descriptor.reads, attemptReceiveFrom);
  }

  /** The same: who doesn't ask for the sender isn't told. */
  override receive(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    flags: number,
  ): number {
    return this.receiveFrom(op, bytes, offset, length, flags);
  }

  override bytesReadable(): number {
    const fd = this.fd('ioctl');
    const { ahead } = this.descriptor!;
    return ahead?.any ? ahead.size : bytesReadable(fd);
  }

  sendTo(
    op: Operation,
    bytes: Uint8Array,
    offset: number,
    length: number,
    address: IpAddress,
    port: number,
    flags: number,
  ): number {
    const { descriptor } = this;
    if (descriptor === undefined) return -EBADF;
    op.owner = this;
    op.bytes = bytes;
    op.offset = offset;
    op.length = length;
    op.flags = flags;
    if (address !== toAddress || port !== toPort || address.family === 6) {
      packEndpoint(address, port, to);
      toAddress = address;
      toPort = port;
    }
    op.value = to;
    const result = descriptor.start(op, descriptor.writes, attemptSendTo);
    op.value = result === PENDING ? to.slice() : undefined; // others use it meanwhile
    return result;
  }

  setMembership(group: IpAddress, join: boolean): void {
    setMembership(this.fd('setsockopt'), packEndpoint(group, 0, scratch), join);
  }

  setMulticastInterface(address: IpAddress): void {
    setMulticastInterface(this.fd('setsockopt'), packEndpoint(address, 0, scratch));
  }
}

function attemptReceiveFrom(op: Operation): number {
  const { ahead } = op.target as Descriptor;
  if (ahead !== null) {
    if (ahead.any) return ahead.take(op);
    if (ahead.isWorthwhile && (op.flags & MSG_PEEK) === 0) {
      const result = ahead.receive(op, op.target as Descriptor);
      if (result !== UNAVAILABLE) return result;
    }
  }
  const result = recvfrom(op.target!.fd, op.bytes!, op.offset, op.length, op.flags, scratch);
  if (result >= 0) op.value = unpackEndpoint(scratch);
  if ((op.flags & MSG_PEEK) === 0) ahead?.note(result);
  return result;
}

function attemptSendTo(op: Operation): number {
  const endpoint = op.value as Uint8Array;
  const flags = op.flags | MSG_NOSIGNAL;
  return sendto(op.target!.fd, op.bytes!, op.offset, op.length, flags, endpoint);
}
