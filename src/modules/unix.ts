/** `require 'unix'`: sockets between processes of one machine, which can carry descriptors. */
import { construct } from '../actors/handle-object.ts';
import { drive } from '../runtime/call.ts';
import { checkBits, requireString } from '../runtime/check.ts';
import type { LuaValue, Result } from '../runtime/value.ts';
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, SOMAXCONN } from '../sys/socket.ts';
import { luaModule } from './define.ts';
import { type Acceptor, SeqpacketAcceptor, StreamAcceptor } from './unix/acceptor.ts';
import {
  checkPath,
  connect,
  DatagramSocket,
  MESSAGE_FLAGS,
  pair,
  SeqpacketSocket,
  type Socket,
  StreamSocket,
} from './unix/socket.ts';

function dial(cls: new () => Socket) {
  return (p: LuaValue): Result => {
    const path = checkPath(p, 1);
    return drive(
      (function* () {
        const socket = new cls();
        try {
          yield connect(socket, path);
        } catch (error) {
          socket.io.close();
          throw error;
        }
        return socket;
      })(),
    );
  };
}

function listen(cls: new () => Acceptor) {
  return (ep: LuaValue, modeArg: LuaValue): Result => {
    const path = checkPath(requireString(ep, 1, 'listen'), 1);
    const mode = modeArg === undefined ? undefined : checkBits(modeArg, 2, 'listen', 0o777);
    const acceptor = new cls();
    try {
      acceptor.io.open();
      acceptor.io.bind(path, mode);
      acceptor.io.listen(SOMAXCONN);
    } catch (error) {
      acceptor.io.close();
      throw error;
    }
    return acceptor;
  };
}

const stream = {
  socket: { new: construct(StreamSocket), pair: pair(SOCK_STREAM, StreamSocket) },
  acceptor: { new: construct(StreamAcceptor) },
  dial: dial(StreamSocket),
  listen: listen(StreamAcceptor),
};

const seqpacket = {
  socket: { new: construct(SeqpacketSocket), pair: pair(SOCK_SEQPACKET, SeqpacketSocket) },
  acceptor: { new: construct(SeqpacketAcceptor) },
  dial: dial(SeqpacketSocket),
  listen: listen(SeqpacketAcceptor),
};

const datagram = {
  socket: { new: construct(DatagramSocket), pair: pair(SOCK_DGRAM, DatagramSocket) },
  dial: dial(DatagramSocket),
};

export const unix = luaModule('unix', {
  stream,
  seqpacket,
  datagram,
  // the names up to Emilua 0.7
  stream_socket: stream.socket,
  stream_acceptor: stream.acceptor,
  seqpacket_socket: seqpacket.socket,
  seqpacket_acceptor: seqpacket.acceptor,
  datagram_socket: datagram.socket,
  message_flag: MESSAGE_FLAGS,
});
