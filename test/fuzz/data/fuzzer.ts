/** What the fuzzers of data have in common: a case is plain data, so that it can be made smaller by leaving parts out. */
import type { Random } from '../random.ts';

export interface Fuzzer<Case = any> {
  readonly name: string;
  /** Parts of a case that stay as they are when it is made smaller. */
  readonly kept?: readonly string[];
  make(random: Random): Case;
  /** What differs from the model; undefined: nothing. */
  check(of: Case): string | undefined;
}

/** Whatever is thrown that should not be is a finding, too. */
export function finding(fuzzer: Fuzzer, of: unknown): string | undefined {
  try {
    return fuzzer.check(of);
  } catch (thrown) {
    return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  }
}

/** The smallest case that can be found in which something still differs. */
export function minimise<Case>(fuzzer: Fuzzer<Case>, of: Case, milliseconds = 10_000): Case {
  let best = of;
  const end = Date.now() + milliseconds;
  for (let found = true; found && Date.now() < end; ) {
    found = false;
    for (const smaller of shrunk(best, fuzzer.kept ?? [])) {
      if (Date.now() >= end) break;
      if (finding(fuzzer, smaller) === undefined) continue;
      best = smaller as Case;
      found = true;
      break;
    }
  }
  return best;
}

/** All that is a little smaller: texts and lists without a part, smaller numbers, a part of a tree for the whole. */
function* shrunk(value: unknown, kept: readonly string[]): Generator<unknown> {
  if (typeof value === 'string' || Array.isArray(value)) {
    for (let size = value.length >> 1 || (value.length === 1 ? 1 : 0); size >= 1; size >>= 1) {
      for (let at = 0; at + size <= value.length; at += size) {
        yield typeof value === 'string'
          ? value.slice(0, at) + value.slice(at + size)
          : [...value.slice(0, at), ...value.slice(at + size)];
      }
    }
  }
  if (typeof value === 'number' && Number.isInteger(value) && value !== 0) {
    yield Math.trunc(value / 2);
  }
  if (typeof value === 'object' && value !== null) {
    if ('kind' in value) {
      for (const part of Object.values(value).flat()) {
        if (typeof part === 'object' && part !== null && 'kind' in part) yield part;
      }
    }
    for (const [key, part] of Object.entries(value)) {
      if (kept.includes(key)) continue;
      for (const smaller of shrunk(part, kept)) {
        const copy: any = Array.isArray(value) ? [...value] : { ...value };
        copy[key] = smaller;
        yield copy;
      }
    }
  }
}

export const bytesOfText = (text: string): Uint8Array =>
  Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A text of so many of these pieces. */
export const textOf = (random: Random, most: number, pieces: readonly string[]): string =>
  random.some(0, most, () => random.pick(pieces)).join('');
