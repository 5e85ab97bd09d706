/** `require 'serial_port'`: serial lines, and pseudo-terminals, whose masters behave as such. */
import { readSome, writeSome } from '../actors/fiber-io.ts';
import { newFd } from '../actors/file-descriptor.ts';
import {
  construct,
  HandleObject,
  handleMethods,
  handleProperties,
} from '../actors/handle-object.ts';
import { terminalMethods } from '../actors/terminal.ts';
import { currentVm } from '../actors/vm.ts';
import { ptyPair, SerialPort } from '../io/serial-port.ts';
import { alreadyOpen } from '../runtime/asio-error.ts';
import { checkInteger, requireString } from '../runtime/check.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { type LuaValue, NONE } from '../runtime/value.ts';
import {
  FLOW_HARDWARE,
  FLOW_NONE,
  FLOW_SOFTWARE,
  PARITY_EVEN,
  PARITY_NONE,
  PARITY_ODD,
} from '../sys/termios.ts';
import { luaModule, luaType, unknownMember } from './define.ts';

class Port extends HandleObject {
  readonly io: SerialPort;
  constructor(io = new SerialPort(currentVm().io)) {
    super();
    this.io = io;
  }
}

/** Values of a setting: what Lua says, and the number that the line has. */
type Choices = readonly (readonly [LuaValue, number])[];

const FLOW_CONTROL: Choices = [
  [undefined, FLOW_NONE],
  ['software', FLOW_SOFTWARE],
  ['hardware', FLOW_HARDWARE],
];
const PARITY: Choices = [
  [undefined, PARITY_NONE],
  ['odd', PARITY_ODD],
  ['even', PARITY_EVEN],
];
/** `one_point_five` is for Windows. */
const STOP_BITS: Choices = [
  ['one', 1],
  ['two', 2],
];

const nameOf = (choices: Choices, number: number): LuaValue =>
  choices.find((choice) => choice[1] === number)?.[0];

function numberOf(choices: Choices, name: LuaValue): number {
  const choice = choices.find((one) => one[0] === name);
  if (choice !== undefined) return choice[1];
  throw typeof name === 'string' ? codeError('ENOTSUP') : badArgument(3);
}

/** Its line. EBADF if there is none. */
function opened({ io }: Port): SerialPort {
  if (!io.isOpen) throw codeError('EBADF');
  return io;
}

luaType('serial_port', Port, {
  methods: {
    ...handleMethods,
    open(self, device: LuaValue) {
      const name = requireString(device, 2, 'open');
      if (self.io.isOpen) throw alreadyOpen();
      self.io.open(name);
      return NONE;
    },
    read_some: (self, buffer: LuaValue) => readSome(self.io, buffer),
    write_some: (self, buffer: LuaValue) => writeSome(self.io, buffer),
    send_break(self) {
      self.io.sendBreak();
      return NONE;
    },
    isatty: (self) => opened(self).isatty(),
    ...terminalMethods((self: Port) => opened(self).terminal),
  },
  properties: {
    ...handleProperties,
    baud_rate: (self) => self.io.get('baudRate'),
    flow_control: (self) => nameOf(FLOW_CONTROL, self.io.get('flowControl')),
    parity: (self) => nameOf(PARITY, self.io.get('parity')),
    stop_bits: (self) => nameOf(STOP_BITS, self.io.get('stopBits')),
    character_size: (self) => self.io.get('characterSize'),
  },
  setters: {
    baud_rate(self, rate) {
      const wanted = checkInteger(rate, 3, 'baud_rate');
      const fits = wanted === (wanted | 0); // no line has other rates: EINVAL
      self.io.set('baudRate', fits ? wanted : -1);
    },
    flow_control(self, name) {
      self.io.set('flowControl', numberOf(FLOW_CONTROL, name));
    },
    parity(self, name) {
      self.io.set('parity', numberOf(PARITY, name));
    },
    stop_bits(self, name) {
      self.io.set('stopBits', numberOf(STOP_BITS, name));
    },
    character_size(self, size) {
      const bits = checkInteger(size, 3, 'character_size');
      if (!(bits >= 5 && bits <= 8)) throw codeError('ERANGE', { arg: 3 });
      self.io.set('characterSize', bits);
    },
  },
  setIndex: unknownMember,
});

export const serialPort = luaModule('serial_port', {
  new: construct(Port),
  ptypair() {
    const { master, slave } = ptyPair(currentVm().io);
    return [new Port(master), newFd(slave)];
  },
});
