/** `require 'pipe'`: the ends of pipes, as streams. */
import { readSome, writeSome } from '../actors/fiber-io.ts';
import {
  construct,
  HandleObject,
  handleMethods,
  handleProperties,
} from '../actors/handle-object.ts';
import { currentVm } from '../actors/vm.ts';
import { PipeEnd, pipePair } from '../io/pipe.ts';
import { luaModule, luaType, unknownMember } from './define.ts';

class ReadStream extends HandleObject {
  readonly io: PipeEnd;
  constructor(io = new PipeEnd(currentVm().io)) {
    super();
    this.io = io;
  }
}

class WriteStream extends HandleObject {
  readonly io: PipeEnd;
  constructor(io = new PipeEnd(currentVm().io)) {
    super();
    this.io = io;
  }
}

luaType('pipe.read_stream', ReadStream, {
  methods: { ...handleMethods, read_some: (self, buffer) => readSome(self.io, buffer) },
  properties: handleProperties,
  setIndex: unknownMember,
});

luaType('pipe.write_stream', WriteStream, {
  methods: { ...handleMethods, write_some: (self, buffer) => writeSome(self.io, buffer) },
  properties: handleProperties,
  setIndex: unknownMember,
});

export const pipe = luaModule('pipe', {
  read_stream: { new: construct(ReadStream) },
  write_stream: { new: construct(WriteStream) },
  pair() {
    const { source, sink } = pipePair(currentVm().io);
    return [new ReadStream(source), new WriteStream(sink)];
  },
});
