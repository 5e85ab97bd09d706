/** Capabilities as files have them, in the attribute `security.capability`: struct vfs_cap_data of linux/capability.h. */
import { LinuxCapabilities } from './capabilities.ts';

export const CAPABILITY_ATTRIBUTE = 'security.capability';
/** Bytes of the longest form. */
export const CAPABILITY_BYTES = 24;

const VERSION_1 = 0x01000000;
const VERSION_2 = 0x02000000;
const VERSION_3 = 0x03000000;
const VERSION_MASK = 0xff000000;
/** What a program gets of these it has in effect at once. */
const EFFECTIVE = 1;

const LENGTHS: ReadonlyMap<number, number> = new Map([
  [VERSION_1, 12],
  [VERSION_2, 20],
  [VERSION_3, 24],
]);

/** @returns undefined: that is none of the forms */
export function unpackCapabilities(bytes: Uint8Array): LinuxCapabilities | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4) return undefined;
  const magic = view.getUint32(0, true);
  const version = (magic & VERSION_MASK) >>> 0;
  if (LENGTHS.get(version) !== bytes.length) return undefined;
  const set = new LinuxCapabilities();
  const words = version === VERSION_1 ? 1 : 2;
  for (let i = 0; i < words; i++) {
    const shift = BigInt(32 * i);
    set.permitted |= BigInt(view.getUint32(4 + 8 * i, true)) << shift;
    set.inheritable |= BigInt(view.getUint32(8 + 8 * i, true)) << shift;
  }
  if ((magic & EFFECTIVE) !== 0) set.effective = set.permitted | set.inheritable;
  if (version === VERSION_3) set.namespaceOwner = view.getUint32(20, true);
  return set;
}

/** @returns undefined: a file's are in effect all together, or not at all */
export function packCapabilities(set: LinuxCapabilities): Uint8Array | undefined {
  const { effective, permitted, inheritable, namespaceOwner } = set;
  const isEffective = effective !== 0n;
  if (isEffective && ((permitted | inheritable) & ~effective) !== 0n) return undefined;
  const version = namespaceOwner === 0 ? VERSION_2 : VERSION_3;
  const bytes = new Uint8Array(LENGTHS.get(version)!);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, version | (isEffective ? EFFECTIVE : 0), true);
  for (let i = 0; i < 2; i++) {
    const shift = BigInt(32 * i);
    view.setUint32(4 + 8 * i, Number((permitted >> shift) & 0xffffffffn), true);
    view.setUint32(8 + 8 * i, Number((inheritable >> shift) & 0xffffffffn), true);
  }
  if (version === VERSION_3) view.setUint32(20, namespaceOwner, true);
  return bytes;
}
