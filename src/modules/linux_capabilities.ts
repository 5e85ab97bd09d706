/** Objects of type `linux_capabilities`: sets that processes and files have. There is no module: `system` makes them. */
import { currentVm } from '../actors/vm.ts';
import { rightsChanged } from '../io/rights.ts';
import {
  ALL_CAPABILITIES,
  type CapabilityFlag,
  capabilityNumber,
  LinuxCapabilities,
} from '../runtime/capabilities.ts';
import { badArgument, codeError } from '../runtime/error-code.ts';
import { LuaTable, rawGet, rawLength } from '../runtime/table.ts';
import { type LuaValue, NONE } from '../runtime/value.ts';
import { capset } from '../sys/confine.ts';
import type { TypeSpec } from './define.ts';

const FLAGS: ReadonlySet<LuaValue> = new Set(['effective', 'inheritable', 'permitted']);

function checkFlag(v: LuaValue, position: number): CapabilityFlag {
  if (!FLAGS.has(v)) throw badArgument(position);
  return v as CapabilityFlag;
}

function checkCapability(v: LuaValue, position: number): bigint {
  const n = typeof v === 'string' ? capabilityNumber(v) : undefined;
  if (n === undefined) throw badArgument(position);
  return 1n << BigInt(n);
}

function checkBoolean(v: LuaValue, position: number): boolean {
  if (typeof v !== 'boolean') throw badArgument(position);
  return v;
}

export const capabilitiesType = (): TypeSpec<LinuxCapabilities> => ({
  methods: {
    dup: (self) => self.copy(),
    clear(self) {
      self.effective = self.inheritable = self.permitted = 0n;
      return NONE;
    },
    clear_flag(self, flag: LuaValue) {
      self[checkFlag(flag, 2)] = 0n;
      return NONE;
    },
    get_flag(self, name: LuaValue, flag: LuaValue) {
      const bit = checkCapability(name, 2);
      return (self[checkFlag(flag, 3)] & bit) !== 0n;
    },
    set_flag(self, flagArg: LuaValue, names: LuaValue, value: LuaValue) {
      const flag = checkFlag(flagArg, 2);
      if (!(names instanceof LuaTable)) throw badArgument(3);
      let bits = 0n;
      for (let i = 1; i <= rawLength(names); i++) bits |= checkCapability(rawGet(names, i), 3);
      self.change(flag, bits, checkBoolean(value, 4));
      return NONE;
    },
    fill_flag(self, to: LuaValue, ref: LuaValue, from: LuaValue) {
      const flag = checkFlag(to, 2);
      if (!(ref instanceof LinuxCapabilities)) throw badArgument(3);
      self[flag] = ref[checkFlag(from, 4)];
      return NONE;
    },
    fill(self, to: LuaValue, from: LuaValue) {
      const flag = checkFlag(to, 2);
      self[flag] = self[checkFlag(from, 3)];
      return NONE;
    },
    set_proc(self) {
      if (!currentVm().isMaster) throw codeError('EPERM');
      const known = (bits: bigint): bigint => bits & ALL_CAPABILITIES;
      capset({
        effective: known(self.effective),
        permitted: known(self.permitted),
        inheritable: known(self.inheritable),
      });
      rightsChanged();
      return NONE;
    },
    get_nsowner: (self) => self.namespaceOwner,
    set_nsowner(self, uid: LuaValue) {
      if (typeof uid !== 'number' || !Number.isInteger(uid) || uid < 0 || uid > 0xffffffff) {
        throw badArgument(2);
      }
      self.namespaceOwner = uid;
      return NONE;
    },
  },
  tostring: (self) => self.toString(),
});
