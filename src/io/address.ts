/**
 * IP addresses as text: strict dotted quads, and IPv6 as inet_pton(3) reads and inet_ntop(3) writes
 * it (the shortest form, RFC 5952, with dotted quads in mapped and compatible addresses). Pure: the
 * names of network interfaces, which a scope may be, come from the caller.
 */

export type Family = 4 | 6;

export class IpAddress {
  readonly family: Family;
  /** 4 or 16, in network order; never changed. */
  readonly bytes: Uint8Array;
  /** Number of the network interface, IPv6 only; 0 is none. */
  scopeId: number;

  constructor(bytes: Uint8Array, scopeId = 0) {
    this.family = bytes.length === 4 ? 4 : 6;
    this.bytes = bytes;
    this.scopeId = scopeId;
  }

  clone(): IpAddress {
    return new IpAddress(this.bytes, this.scopeId);
  }
}

/**
 * @param text     '127.0.0.1', '::1', 'fe80::1%eth0', 'fe80::1%2'
 * @param indexOf  number of the network interface with a name, 0 for none
 * @returns undefined when `text` is no address
 */
export function parseAddress(
  text: string,
  indexOf: (name: string) => number = () => 0,
): IpAddress | undefined {
  const bytes4 = parseQuad(text);
  if (bytes4) return new IpAddress(bytes4);
  const percent = text.indexOf('%');
  const bytes = parseV6(percent < 0 ? text : text.slice(0, percent));
  if (!bytes) return undefined;
  if (percent < 0) return new IpAddress(bytes);
  const scopeId = parseScope(text.slice(percent + 1), isLinkLocal(bytes), indexOf);
  return scopeId === undefined ? undefined : new IpAddress(bytes, scopeId);
}

/** A name or a number. An interface may have digits for a name: that comes first where scopes are links. */
function parseScope(
  text: string,
  isLink: boolean,
  indexOf: (name: string) => number,
): number | undefined {
  const isNumber = /^[0-9]{1,10}$/.test(text) && Number(text) <= 0xffffffff;
  if (isNumber && !isLink) return Number(text);
  const index = indexOf(text);
  if (index !== 0) return index;
  return isNumber ? Number(text) : undefined;
}

/**
 * @param nameOf  name of a network interface; asked only for link-local addresses with a scope
 * @returns the text that `parseAddress` reads, in its shortest form
 */
export function formatAddress(
  address: IpAddress,
  nameOf: (index: number) => string | undefined = () => undefined,
): string {
  const { bytes, scopeId } = address;
  if (address.family === 4) return bytes.join('.');
  const text = formatV6(bytes);
  if (scopeId === 0) return text;
  return `${text}%${(isLinkLocal(bytes) ? nameOf(scopeId) : undefined) ?? scopeId}`;
}

/** fe80::/10 and ff02::/16 (link-local multicast): where a scope is written as a name. */
function isLinkLocal(bytes: Uint8Array): boolean {
  const [first, second] = [bytes[0]!, bytes[1]!];
  return (first === 0xfe && (second & 0xc0) === 0x80) || (first === 0xff && (second & 0x0f) === 2);
}

/** Four decimal numbers to 255 without leading zeros, as inet_pton(3) wants them. */
function parseQuad(text: string): Uint8Array | undefined {
  if (!/^(?:(?:0|[1-9][0-9]{0,2})(?:\.(?!$)|$)){4}$/.test(text)) return undefined;
  const numbers = text.split('.').map(Number);
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (!head || !tail) return undefined;
  const length = head.length + tail.length;
  // '::' stands for at least one group of two bytes
  if (halves.length === 2 ? length > 14 : length !== 16) return undefined;
  const bytes = new Uint8Array(16);
  bytes.set(head, 0);
  bytes.set(tail, 16 - tail.length);
  return bytes;
}

/** The bytes of 'a:b:c', of '' none; the last group may be a dotted quad where `quadAllowed`. */
function parseGroups(text: string, quadAllowed: boolean): number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const number = Number.parseInt(group, 16);
      bytes.push(number >> 8, number & 0xff);
      continue;
    }
    const quad = quadAllowed && i === groups.length - 1 ? parseQuad(group) : undefined;
    if (!quad) return undefined;
    bytes.push(...quad);
  }
  return bytes;
}

function formatV6(bytes: Uint8Array): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push((bytes[i]! << 8) | bytes[i + 1]!);
  const [from, length] = longestZeros(groups);
  // ::a.b.c.d and ::ffff:a.b.c.d
  const quad = from === 0 && (length === 6 || (length === 5 && groups[5] === 0xffff));
  const end = quad ? 6 : 8;
  const parts: string[] = groups.slice(0, end).map((group) => group.toString(16));
  if (quad) parts.push(bytes.subarray(12).join('.'));
  if (length < 2) return parts.join(':');
  return `${parts.slice(0, from).join(':')}::${parts.slice(from + length).join(':')}`;
}

/** The first of the longest runs of zeros: [start, length]. */
function longestZeros(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  for (let i = 0; i < groups.length; i++) {
    let length = 0;
    while (groups[i + length] === 0) length++;
    if (length > best[1]) best = [i, length];
    if (length > 0) i += length - 1;
  }
  return best;
}
