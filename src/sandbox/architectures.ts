/** What filters know of processors: their tables of system calls. */
import { NUMBERS } from './system-calls.ts';

export interface Architecture {
  readonly name: string;
  /** AUDIT_ARCH_ */
  readonly audit: number;
  /** In the order of the table. */
  readonly calls: ReadonlyMap<string, number>;
  readonly names: ReadonlyMap<number, string>;
  /** Numbers from here on are another table's. */
  readonly foreignFrom: number | undefined;
}

const LINE = /^(\w+) (\d+|-) (\d+|-)$/gm;

function architecture(
  name: string,
  audit: number,
  column: 2 | 3,
  foreignFrom: number | undefined,
): Architecture {
  const calls = new Map<string, number>();
  for (const line of NUMBERS.matchAll(LINE))
    if (line[column] !== '-') calls.set(line[1]!, Number(line[column]));
  const names = new Map([...calls].map(([call, number]) => [number, call]));
  return { name, audit, calls, names, foreignFrom };
}

export const x64 = architecture('x86_64', 0xc000003e, 2, 0x40000000);
export const arm64 = architecture('aarch64', 0xc00000b7, 3, undefined);
export const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map(
  [x64, arm64].map((one) => [one.name, one]),
);

/** A call of any architecture. */
export const isCall = (name: string): boolean => x64.calls.has(name) || arm64.calls.has(name);

/** That of Node's processes. @param arch  process.arch */
export const architectureOf = (arch: string): Architecture => (arch === 'arm64' ? arm64 : x64);
