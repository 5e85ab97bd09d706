/**
 * Sets of capabilities, and their text as libcap has it: capabilities(7), cap_from_text(3). The class is here, and
 * not in its module, since files and processes have capabilities, too.
 */
import { Userdata } from './value.ts';

/** By number. */
export const CAPABILITIES = [
  ...['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid'],
  ...['setpcap', 'linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw'],
  ...['ipc_lock', 'ipc_owner', 'sys_module', 'sys_rawio', 'sys_chroot', 'sys_ptrace', 'sys_pacct'],
  ...['sys_admin', 'sys_boot', 'sys_nice', 'sys_resource', 'sys_time', 'sys_tty_config', 'mknod'],
  ...['lease', 'audit_write', 'audit_control', 'setfcap', 'mac_override', 'mac_admin', 'syslog'],
  ...['wake_alarm', 'block_suspend', 'audit_read', 'perfmon', 'bpf', 'checkpoint_restore'],
].map((name) => `cap_${name}`);
const BITS = 64;

/** The kernel knows those up to here. */
export const ALL_CAPABILITIES = (1n << BigInt(CAPABILITIES.length)) - 1n;

export type CapabilityFlag = 'effective' | 'inheritable' | 'permitted';
/** In the order in which libcap writes them. */
const LETTERS: readonly (readonly [string, CapabilityFlag])[] = [
  ['e', 'effective'],
  ['i', 'inheritable'],
  ['p', 'permitted'],
];

/** @returns undefined: there is none of that name, nor is it a number */
export function capabilityNumber(name: string): number | undefined {
  const index = CAPABILITIES.indexOf(name.toLowerCase());
  if (index >= 0) return index;
  return /^\d{1,2}$/.test(name) && Number(name) < BITS ? Number(name) : undefined;
}

export class LinuxCapabilities extends Userdata {
  effective = 0n;
  inheritable = 0n;
  permitted = 0n;
  /** The root user of the namespace that a file's belong to. */
  namespaceOwner = 0;

  copy(): LinuxCapabilities {
    return Object.assign(new LinuxCapabilities(), {
      effective: this.effective,
      inheritable: this.inheritable,
      permitted: this.permitted,
      namespaceOwner: this.namespaceOwner,
    });
  }

  change(flag: CapabilityFlag, bits: bigint, on: boolean): void {
    this[flag] = on ? this[flag] | bits : this[flag] & ~bits;
  }

  /** Which flags number `n` has: a combination of 1, 2 and 4, in the order of LETTERS. */
  private flagsOf(n: number): number {
    const bit = 1n << BigInt(n);
    return LETTERS.reduce(
      (sum, [, flag], i) => sum | ((this[flag] & bit) !== 0n ? 1 << FLAG_BITS[i]! : 0),
      0,
    );
  }

  /** Most capabilities have the flags that stand first; those that differ follow. */
  override toString(): string {
    const groups: number[][] = Array.from({ length: 8 }, () => []);
    for (let n = 0; n < CAPABILITIES.length; n++) groups[this.flagsOf(n)]!.push(n);
    let base = 7;
    for (let flags = 6; flags >= 0; flags--) {
      if (groups[flags]!.length >= groups[base]!.length) base = flags;
    }
    const clauses: string[] = [];
    for (let flags = 7; flags >= 0; flags--) {
      if (flags === base || groups[flags]!.length === 0) continue;
      const names = groups[flags]!.map((n) => CAPABILITIES[n]!).join(',');
      const more = flags & ~base;
      const less = base & ~flags;
      clauses.push(
        names + (more !== 0 ? `+${letters(more)}` : '') + (less !== 0 ? `-${letters(less)}` : ''),
      );
    }
    const unknown: number[][] = Array.from({ length: 8 }, () => []);
    for (let n = CAPABILITIES.length; n < BITS; n++) unknown[this.flagsOf(n)]!.push(n);
    const isMerged = base === 0 && clauses.length > 0;
    if (isMerged) clauses[0] = clauses[0]!.replace('+', '=');
    else clauses.unshift(`=${letters(base)}`);
    for (let flags = 7; flags > 0; flags--) {
      if (unknown[flags]!.length > 0)
        clauses.push(`${unknown[flags]!.join(',')}+${letters(flags)}`);
    }
    return clauses.join(' ');
  }
}

/** libcap's bits of e, i, p. */
const FLAG_BITS = [0, 2, 1];

const letters = (flags: number): string =>
  LETTERS.map(([letter], i) => ((flags & (1 << FLAG_BITS[i]!)) !== 0 ? letter : '')).join('');

/** A list, an operator with flags, and more of these. */
const CLAUSE = /^([\w,]*)((?:[=+-][eip]*)+)$/;

/** @returns undefined: that is no text of capabilities */
export function parseCapabilities(text: string): LinuxCapabilities | undefined {
  const set = new LinuxCapabilities();
  for (const clause of text.split(/[\s]+/).filter((part) => part !== '')) {
    const [, list, actions] = CLAUSE.exec(clause) ?? [];
    if (list === undefined || actions === undefined) return undefined;
    const all = [...actions.matchAll(/([=+-])([eip]*)/g)];
    const bits = list === '' ? onlyReset(all) : listedBits(list);
    if (bits === undefined) return undefined;
    for (const [i, [, operator, flags]] of all.entries()) {
      if (operator === '=' ? i > 0 : flags === '') return undefined;
      for (const [letter, flag] of LETTERS) {
        const isNamed = flags!.includes(letter);
        if (operator === '=') set.change(flag, bits, isNamed);
        else if (isNamed) set.change(flag, bits, operator === '+');
      }
    }
  }
  return set;
}

/** `=` without a list is about all of them, and stands alone. */
function onlyReset(all: readonly (readonly string[])[]): bigint | undefined {
  return all.length === 1 && all[0]![1] === '=' ? ALL_CAPABILITIES : undefined;
}

function listedBits(list: string): bigint | undefined {
  let bits = 0n;
  for (const name of list.split(',')) {
    if (name.toLowerCase() === 'all') {
      bits |= ALL_CAPABILITIES;
      continue;
    }
    const n = capabilityNumber(name);
    if (n === undefined) return undefined;
    bits |= 1n << BigInt(n);
  }
  return bits;
}
