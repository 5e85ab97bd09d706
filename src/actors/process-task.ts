/** What the process of an actor is told: how it begins, and what it is to run. */
import type { Plan } from '../sandbox/plan.ts';
import { padding } from './compiled-form.ts';
import type { TraceTask } from './trace.ts';

/** What the process reads first: it begins with that, maybe before there is a task. */
export interface ProcessKind {
  readonly walls: Plan;
}

type Named<T> = readonly (readonly [path: string, T])[];

/** What it is to do. Strings of Lua, a byte a code unit. */
export interface ProcessTask {
  /** Of the root module. */
  readonly file: string;
  readonly root: string;
  readonly id: string;
  readonly suspendAll: boolean;
  /** Its pool takes no more threads. */
  readonly isAlone: boolean;
  readonly init: string | undefined;
  readonly initTimeout: number | undefined;
  /** Where they are no part of the kind. */
  readonly walls: Plan | undefined;
  /** A packet of its inbox, after that of `trace`, brings the socket of a service for calls of the C library. */
  readonly hasService: boolean;
  readonly environment: Named<string>;
  /** Absolute paths of files that need not be there, and their texts. */
  readonly sources: Named<string>;
  /** What its maker has made of some of them: see compiled-form.ts. */
  readonly compiled: Named<readonly Buffer[]>;
  /** The first packet of its inbox brings a socket for what it says. */
  readonly trace: TraceTask | undefined;
}

/** What is said of long texts: they come after it, one after the other. */
type Lengths = Named<readonly number[]>;
interface Header extends Omit<ProcessTask, 'sources' | 'compiled'> {
  readonly sources: Lengths;
  readonly compiled: Lengths;
}

/** The task comes after it, at a multiple of 8. */
export function encodeKind(kind: ProcessKind): Buffer {
  const json = JSON.stringify(kind);
  return Buffer.from(json + padding(Buffer.byteLength(json)));
}

export const decodeKind = (bytes: Uint8Array): ProcessKind => parse(bytes) as ProcessKind;

/**
 * Length of the header, header, texts.
 * @param room  if it fits it is put there
 */
export function encodeTask({ sources, compiled, ...rest }: ProcessTask, room?: Buffer): Buffer {
  const texts: Buffer[] = [];
  const lengthsOf = (parts: readonly Buffer[]): number[] => {
    texts.push(...parts);
    return parts.map(({ length }) => length);
  };
  const header: Header = {
    ...rest,
    sources: sources.map(([path, text]) => [path, lengthsOf([Buffer.from(text, 'latin1')])]),
    compiled: compiled.map(([path, parts]) => [path, lengthsOf(parts)]),
  };
  const json = JSON.stringify(header);
  const before = sources.reduce((sum, [, text]) => sum + text.length, 4 + Buffer.byteLength(json));
  const head = Buffer.from(json + padding(before)); // what V8 has made lies at a multiple of 8
  const length = Buffer.alloc(4);
  length.writeUInt32LE(head.length);
  const parts = [length, head, ...texts];
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (room === undefined || total > room.length) return Buffer.concat(parts, total);
  let at = 0;
  for (const part of parts) at += part.copy(room, at);
  return room.subarray(0, total);
}

/** @param bytes  which the result goes on using */
export function decodeTask(bytes: Uint8Array): ProcessTask {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 4 + all.readUInt32LE(0);
  const { sources, compiled, ...rest } = parse(all.subarray(4, at)) as Header;
  const take = (length: number): Buffer => all.subarray(at, (at += length));
  return {
    ...rest,
    sources: sources.map(([path, [length]]) => [path, take(length!).toString('latin1')]),
    compiled: compiled.map(([path, lengths]) => [path, lengths.map(take)]),
  };
}

const parse = (bytes: Uint8Array): unknown =>
  JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
