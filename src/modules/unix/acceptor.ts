/** The acceptors of `unix`: `unix.stream.acceptor` and `unix.seqpacket.acceptor`. */
import { begin, type Convert, end, endAccept, nothing, raise } from '../../actors/fiber-io.ts';
import { HandleObject, handleMethods, handleProperties } from '../../actors/handle-object.ts';
import { FilePath } from '../../actors/modules.ts';
import { currentVm } from '../../actors/vm.ts';
import { UnixAcceptor, type UnixSocket } from '../../io/unix.ts';
import { alreadyOpen } from '../../runtime/asio-error.ts';
import { checkInt32, requireString } from '../../runtime/check.ts';
import { badArgument } from '../../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../../runtime/value.ts';
import { SOCK_SEQPACKET, SOCK_STREAM, SOMAXCONN } from '../../sys/socket.ts';
import { luaType, unknownMember } from '../define.ts';
import {
  checkPath,
  type Options,
  optionKind,
  optionValue,
  SeqpacketSocket,
  StreamSocket,
} from './socket.ts';

const OPTIONS: Options = {
  __proto__: null as never,
  debug: 'boolean',
  enable_connection_aborted: 'boolean',
};

export abstract class Acceptor extends HandleObject {
  readonly io: UnixAcceptor;
  constructor(type: number) {
    super();
    this.io = new UnixAcceptor(currentVm().io, type);
  }
}

export class StreamAcceptor extends Acceptor {
  constructor() {
    super(SOCK_STREAM);
  }
}

export class SeqpacketAcceptor extends Acceptor {
  constructor() {
    super(SOCK_SEQPACKET);
  }
}

const acceptorMethods = {
  ...handleMethods,
  open(self: Acceptor): Result {
    if (self.io.isOpen) throw alreadyOpen();
    self.io.open();
    return NONE;
  },
  bind(self: Acceptor, path: LuaValue): Result {
    self.io.bind(checkPath(path, 2));
    return NONE;
  },
  listen(self: Acceptor, backlog: LuaValue): Result {
    if (backlog !== undefined && typeof backlog !== 'number') throw badArgument(2);
    self.io.listen(backlog === undefined ? SOMAXCONN : checkInt32(backlog, 2, 'listen'));
    return NONE;
  },
  wait(self: Acceptor): Result {
    const op = begin();
    return end(op, self.io.wait(op, 'read'), nothing);
  },
  set_option(self: Acceptor, name: LuaValue, value: LuaValue): Result {
    const text = requireString(name, 2, 'set_option');
    self.io.setOption(text, optionValue(optionKind(text, OPTIONS), value));
    return NONE;
  },
  get_option(self: Acceptor, name: LuaValue): Result {
    const text = requireString(name, 2, 'get_option');
    optionKind(text, OPTIONS);
    return self.io.getOption(text) !== 0;
  },
};

const acceptorProperties = {
  ...handleProperties,
  local_path: (self: Acceptor): Result => new FilePath(self.io.localPath()),
};

function accept(convert: Convert) {
  return (self: Acceptor): Result => {
    const op = begin();
    return endAccept(op, self.io.accept(op), convert);
  };
}

luaType('unix.stream.acceptor', StreamAcceptor, {
  methods: {
    ...acceptorMethods,
    accept: accept((result, io) =>
      result < 0 ? raise(result) : new StreamSocket(io as UnixSocket),
    ),
  },
  properties: acceptorProperties,
  setIndex: unknownMember,
});

luaType('unix.seqpacket.acceptor', SeqpacketAcceptor, {
  methods: {
    ...acceptorMethods,
    accept: accept((result, io) =>
      result < 0 ? raise(result) : new SeqpacketSocket(io as UnixSocket),
    ),
  },
  properties: acceptorProperties,
  setIndex: unknownMember,
});
