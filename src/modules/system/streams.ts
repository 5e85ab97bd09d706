/** `system.in_`, `system.out`, `system.err`: the standard streams. Their methods take no notice of `self`. */
import { readSome, writeSome } from '../../actors/fiber-io.ts';
import { checkFd, newFd } from '../../actors/file-descriptor.ts';
import { terminalMethods } from '../../actors/terminal.ts';
import { currentVm } from '../../actors/vm.ts';
import { backend } from '../../io/backend.ts';
import { replaceStandardStream } from '../../io/stdio.ts';
import { Terminal } from '../../io/terminal.ts';
import {
  type LuaFunction,
  type LuaValue,
  NONE,
  type Result,
  Userdata,
} from '../../runtime/value.ts';
import { luaType } from '../define.ts';
import { checkMaster, members, needAddon } from './part.ts';

/** One after the other: what `print` has gathered comes before what is written now. */
function writeStandard(fd: 1 | 2, buffer: LuaValue): Result {
  currentVm().host.flush();
  return writeSome(backend().standardStream(fd), buffer);
}

function dupFrom(fd: 0 | 1 | 2, source: LuaValue): Result {
  checkMaster();
  const { fd: number } = checkFd(source, 2);
  needAddon();
  currentVm().host.flush();
  replaceStandardStream(fd, number);
  return NONE;
}

function common(fd: 0 | 1 | 2): Record<string, LuaFunction> {
  return {
    dup: () => newFd(backend().standardStream(fd).dup()),
    dup_from: (_self, source) => dupFrom(fd, source),
    isatty: () => backend().standardStream(fd).isatty,
    ...terminalMethods(() => terminals[fd]),
  };
}

const terminals = [0, 1, 2].map((fd) => new Terminal(() => fd)) as [Terminal, Terminal, Terminal];

class StandardInput extends Userdata {}
luaType('system.in_', StandardInput, {
  properties: members({
    read_some: (_self, buffer) => readSome(backend().standardStream(0), buffer),
    ...common(0),
  }),
});

function outputType(name: string, fd: 1 | 2): new () => Userdata {
  class StandardOutput extends Userdata {}
  luaType(name, StandardOutput, {
    properties: members({
      write_some: (_self, buffer) => writeStandard(fd, buffer),
      ...common(fd),
    }),
  });
  return StandardOutput;
}

export const standardInput = new StandardInput();
export const standardOutput = new (outputType('system.out', 1))();
export const standardError = new (outputType('system.err', 2))();
