/**
 * Reading what trace.ts has written, or somebody else: nothing here trusts a line. A file may be longer than the
 * memory; what is wrong with it is said with the number of the line.
 */
import { isUtf8 } from 'node:buffer';
import { closeSync, openSync, readSync } from 'node:fs';
import { TRACE_VERSION } from './trace.ts';

/** The file is no trace, or no good one. */
export class TraceError extends Error {
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
  }
}

/** A line. Which fields there are depends on the event; those that are there are of these types. */
export interface TraceEvent {
  readonly t: number;
  readonly event: string;
  readonly actor?: string;
  from?: string;
  to?: string;
  readonly by?: string;
  readonly id?: number;
  /** The socket of a message from or to a process. */
  readonly via?: number;
  readonly request?: number;
  readonly answers?: number;
  readonly message?: string;
  readonly type?: string;
  readonly size?: number;
  readonly reason?: string;
  readonly how?: string;
  readonly code?: number;
  readonly vm?: string;
  readonly signal?: string;
  readonly home?: string;
  readonly module?: string;
  readonly sandbox?: string;
  readonly thread?: number;
  readonly pid?: number;
  readonly count?: number;
  readonly assumed?: boolean;
  readonly program?: string;
  readonly time?: string;
  readonly version?: number;
  /** The process that says so; undefined: the one that has written the file. */
  readonly said_by?: string;
}

const TYPES: Readonly<Record<string, 'string' | 'number' | 'boolean'>> = {
  t: 'number',
  event: 'string',
  actor: 'string',
  from: 'string',
  to: 'string',
  by: 'string',
  id: 'number',
  via: 'number',
  request: 'number',
  answers: 'number',
  message: 'string',
  type: 'string',
  size: 'number',
  reason: 'string',
  how: 'string',
  code: 'number',
  vm: 'string',
  signal: 'string',
  home: 'string',
  module: 'string',
  sandbox: 'string',
  thread: 'number',
  pid: 'number',
  count: 'number',
  assumed: 'boolean',
  program: 'string',
  time: 'string',
  version: 'number',
  said_by: 'string',
};

export const fieldsOf = (event: string): readonly (keyof TraceEvent)[] =>
  Object.hasOwn(NEEDED, event) ? NEEDED[event]! : [];

const NAMES: ReadonlySet<string> = new Set(['actor', 'from', 'to', 'by', 'said_by']);

/** What a line of an event must have. */
const NEEDED: Readonly<Record<string, readonly (keyof TraceEvent)[]>> = {
  start: ['version'],
  spawn: ['actor'],
  send: ['from', 'to'],
  wait: ['from', 'to'],
  receive: ['actor', 'from'],
  down: ['from', 'to'],
  drop: ['from', 'to'],
  monitor: ['actor'],
  close: ['actor'],
  kill: ['actor', 'to'],
  detach: ['actor', 'to'],
  no_senders: ['actor'],
  unanswered: ['actor'],
  malformed: ['actor'],
  exit: ['actor', 'how'],
  left_out: ['actor'],
  end: [],
};

/** Bytes of a line. Those of trace.ts have less than a tenth of that. */
const MAX_LINE = 64 * 1024;
const CHUNK = 256 * 1024;
/** Characters of a field, and of the name of an actor. */
const MAX_FIELD = 4096;
const MAX_NAME = 300;
/** Seconds: later times can't be drawn. */
const MAX_TIME = 1e9;

export interface ReadTrace {
  readonly lines: number;
  /** Its last line is not whole: the program was killed, or the disk full. */
  readonly isCut: boolean;
}

/**
 * @param file  bytes as code units
 * @throws TraceError; what Node throws where the file can't be read
 */
export function readTrace(file: string, use: (event: TraceEvent) => void): ReadTrace {
  const fd = openSync(Buffer.from(file, 'latin1'), 'r');
  try {
    return readLines(fd, use);
  } finally {
    closeSync(fd);
  }
}

function readLines(fd: number, use: (event: TraceEvent) => void): ReadTrace {
  const chunk = Buffer.alloc(CHUNK);
  let rest = Buffer.alloc(0);
  let lines = 0;
  for (;;) {
    const length = readSync(fd, chunk);
    if (length === 0) break;
    let bytes = Buffer.concat([rest, chunk.subarray(0, length)]);
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10)) {
      use(parseLine(bytes.subarray(0, end), ++lines));
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > MAX_LINE)
      throw new TraceError(lines + 1, 'it is longer than any of a trace');
    rest = Buffer.from(bytes);
  }
  const isCut = rest.length > 0 && !useLast(rest, lines + 1, use);
  if (rest.length > 0) lines++;
  if (lines === 0) throw new TraceError(1, 'the file is empty');
  return { lines, isCut };
}

/** A last line that has no end. @returns false: it isn't whole */
function useLast(bytes: Buffer, line: number, use: (event: TraceEvent) => void): boolean {
  let event: TraceEvent;
  try {
    event = parseLine(bytes, line);
  } catch (thrown) {
    if (line === 1) throw thrown;
    return false;
  }
  use(event);
  return true;
}

function parseLine(bytes: Buffer, line: number): TraceEvent {
  const wrong = (message: string): never => {
    throw new TraceError(line, line === 1 ? `this is no trace of Perilune (${message})` : message);
  };
  if (bytes.length > MAX_LINE) return wrong('it is longer than any of a trace');
  if (!isUtf8(bytes)) return wrong('it is no UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return wrong('it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong('it is no JSON object');
  const fields = value as Record<string, unknown>;
  for (const [name, type] of Object.entries(TYPES)) {
    if (!Object.hasOwn(fields, name)) continue;
    const field = fields[name];
    if (typeof field !== type || (type === 'number' && !Number.isFinite(field)))
      return wrong(`its field "${name}" is no ${type}`);
    if (typeof field === 'string' && field.length > (NAMES.has(name) ? MAX_NAME : MAX_FIELD))
      return wrong(`its field "${name}" is too long`);
  }
  const event = fields as unknown as TraceEvent;
  for (const name of ['t', 'event'] as const)
    if (event[name] === undefined) return wrong(`it has no field "${name}"`);
  if (!(event.t >= 0 && event.t <= MAX_TIME)) return wrong('its time is out of range');
  for (const name of fieldsOf(event.event))
    if (event[name] === undefined) return wrong(`its event needs a field "${name}"`);
  if (line === 1 && event.event !== 'start') return wrong('its first line is another');
  if (event.event === 'start' && event.version !== TRACE_VERSION)
    throw new TraceError(line, `version ${event.version} of traces is not known here`);
  return event;
}
