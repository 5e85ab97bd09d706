/** The command line. Program arguments come after `--`. */
import type { Selection } from '../actors/trace-diagram.ts';

export const USAGE = `Usage: perilune [OPTION]... FILE [-- ARG...]
       perilune trace [OPTION]... TRACE

Runs the Lua program FILE (a directory stands for its init.lua).

  -h, --help               print this and exit
  --version                print versions and exit
  --test                   run with _CONTEXT = "test"
  --main-context-concurrency-hint HINT
                           1 or safe (default)
  --inspect[=[HOST:]PORT]  listen for a debugger (default 127.0.0.1:9229)
  --inspect-brk[=…]        wait for one, and stop at the first line of the program
  --inspect-wait[=…]       wait for one
  --cpu-prof               write a profile of Lua functions to CPU.….cpuprofile at the end
  --cpu-prof-dir DIR, --cpu-prof-name NAME, --cpu-prof-interval MICROSECONDS
                           the same, where and how often
  --compile FILE           print the JavaScript that FILE becomes, and exit
  --suspend-every-call     debugging aid: every Lua call suspends and resumes once
  --test-schedule SEED     for tests: run ready fibers in an order that depends on SEED, with
                           timers on a virtual clock
  --no-cache               compile all files, and store nothing in the user's cache
  --fiber-dump             on Ctrl-C, or when fibers are left at the end: print them all (SIGUSR1
                           does so at any time)
  --trace-actors TRACE     write what actors do to TRACE: who was made, who sent what to whom, who
                           died and why; a line of JSON each

perilune trace draws a TRACE as a sequence diagram (SVG, on the standard output):
  -o SVG                   into this file
  --from T, --to T         what was between these times, in seconds
  --actor NAME             what this actor (words#2) did and was told; may be repeated
  --most N                 so many events (default 200), from the first
  --actors N               so many actors, others together (default 20)

Environment (each also as EMILUA_…):
  PERILUNE_PATH            directories of external packages, separated by colons
  PERILUNE_COLORS          1 or 0: colours in reports of errors, or none
  PERILUNE_LOG_LEVELS      3 and more: reports of errors (default 4); 0: none
  PERILUNE_CACHE           0: as --no-cache
Only as PERILUNE_…:
  PERILUNE_HUGE_PAGES      0: memory for objects is not asked for in huge pages
`;

export type Invocation =
  | { do: 'help' | 'version' }
  | { do: 'fail'; message: string }
  | { do: 'compile'; file: string }
  | {
      do: 'run';
      file: string;
      args: string[];
      context: 'main' | 'test';
      concurrencyHint: '1' | 'safe';
      suspendAll: boolean;
      testSchedule: number | undefined;
      fiberDump: boolean;
      cache: boolean;
      /** Where what actors do is written. */
      trace: string | undefined;
      inspect: Inspect | undefined;
      profile: Profile | undefined;
    }
  | { do: 'trace'; file: string; out: string | undefined; selection: Selection };

/** A CPU profile: where it goes, and microseconds between samples. */
export interface Profile {
  dir: string | undefined;
  name: string | undefined;
  interval: number | undefined;
}

/** Where a debugger finds the program, and what happens until one has come. */
export interface Inspect {
  host: string | undefined;
  port: number | undefined;
  then: 'run' | 'wait' | 'break';
}

const fail = (message: string): Invocation => ({ do: 'fail', message });

export function parseArguments(argv: readonly string[]): Invocation {
  let file: string | undefined;
  let args: string[] = [];
  let context: 'main' | 'test' = 'main';
  let concurrencyHint: '1' | 'safe' = 'safe';
  let suspendAll = false;
  let testSchedule: number | undefined;
  let fiberDump = false;
  let cache = true;
  let trace: string | undefined;
  let inspect: Inspect | undefined;
  let profile: Profile | undefined;
  if (argv[0] === 'trace') return parseTrace(argv.slice(1));
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--') {
      args = argv.slice(i + 1);
      break;
    }
    if (arg === '-h' || arg === '--help') return { do: 'help' };
    if (arg === '--version') return { do: 'version' };
    if (arg === '--test') context = 'test';
    else if (arg === '--suspend-every-call') suspendAll = true;
    else if (arg === '--fiber-dump') fiberDump = true;
    else if (arg === '--no-cache') cache = false;
    else if (/^--inspect(-brk|-wait)?(=|$)/.test(arg)) {
      inspect = readInspect(arg);
      if (inspect === undefined) return fail(`'${arg}': not [HOST:]PORT`);
    } else if (/^--cpu-prof(-dir|-name|-interval)?(=|$)/.test(arg)) {
      profile ??= { dir: undefined, name: undefined, interval: undefined };
      const [option, inline] = splitAt(arg, '=');
      if (option === '--cpu-prof') continue;
      const value = inline ?? argv[++i];
      if (!value) return fail(`${option} needs a value`);
      if (option === '--cpu-prof-dir') profile.dir = value;
      else if (option === '--cpu-prof-name') profile.name = value;
      else if (/^[1-9]\d{0,8}$/.test(value)) profile.interval = Number(value);
      else return fail(`${option} needs a number`);
    } else if (arg === '--test-schedule' || arg.startsWith('--test-schedule=')) {
      const value = arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : argv[++i];
      if (value === undefined || !/^\d{1,9}$/.test(value))
        return fail('--test-schedule needs a number');
      testSchedule = Number(value);
    } else if (arg === '--trace-actors' || arg.startsWith('--trace-actors=')) {
      trace = arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : argv[++i];
      if (trace === undefined || trace === '') return fail('--trace-actors needs a file');
    } else if (arg === '--compile') {
      const target = argv[i + 1];
      return target === undefined
        ? fail('--compile needs a file')
        : { do: 'compile', file: target };
    } else if (/^--main-context-concurrency-hint(=|$)/.test(arg)) {
      const value = arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : argv[++i];
      // Later Emilua: 0 is what was `safe`; `unsafe-io` promises what we never need to know.
      if (value === '1') concurrencyHint = '1';
      else if (value === 'safe' || value === '0' || value === 'unsafe-io') concurrencyHint = 'safe';
      else return fail(`invalid concurrency hint '${value ?? ''}'`);
    } else if (arg === '-') return fail('reading the program from standard input is not supported');
    else if (arg.startsWith('-')) return fail(`unknown option '${arg}'`);
    else if (file === undefined) file = arg;
    else return fail(`unexpected argument '${arg}' (program arguments come after --)`);
  }
  if (file === undefined) return fail('no program given (try --help)');
  return {
    do: 'run',
    file,
    args,
    context,
    concurrencyHint,
    suspendAll,
    testSchedule,
    fiberDump,
    cache,
    trace,
    inspect,
    profile,
  };
}

/** What is before and behind the first `=`, if there is one. */
function splitAt(text: string, sign: string): [string, string | undefined] {
  const at = text.indexOf(sign);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** `--inspect-brk=[::1]:9229` and the like. @returns undefined: it is wrong */
function readInspect(arg: string): Inspect | undefined {
  const [option, at] = splitAt(arg, '=');
  const then = option.endsWith('brk') ? 'break' : option.endsWith('wait') ? 'wait' : 'run';
  if (at === undefined) return { host: undefined, port: undefined, then };
  const [, host, number] = /^(?:(\[[\d:a-f.]+\]|[^:[\]]+):)?(\d{1,5})$/i.exec(at) ?? [];
  const port = Number(number ?? -1);
  if (port < 0 || port > 65535) return undefined;
  return { host: host?.replace(/[[\]]/g, ''), port, then };
}

/** `perilune trace …` */
function parseTrace(argv: readonly string[]): Invocation {
  let file: string | undefined;
  let out: string | undefined;
  const selection: { -readonly [K in keyof Selection]: Selection[K] } & { actors: string[] } = {
    from: 0,
    to: Infinity,
    actors: [],
    mostEvents: 200,
    mostActors: 20,
  };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '-h' || arg === '--help') return { do: 'help' };
    const [, name, joined] = /^(-o|--\w+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) {
      if (arg.startsWith('-')) return fail(`unknown option '${arg}'`);
      if (file !== undefined) return fail(`unexpected argument '${arg}'`);
      file = arg;
      continue;
    }
    if (!TRACE_OPTIONS.includes(name)) return fail(`unknown option '${arg}'`);
    const value = joined ?? argv[++i];
    if (value === undefined || value === '') return fail(`${name} needs a value`);
    if (name === '-o') out = value;
    else if (name === '--actor') selection.actors.push(value);
    else if (!/^\d{1,9}(\.\d*)?$/.test(value)) return fail(`${name} needs a number`);
    else if (name === '--from') selection.from = Number(value);
    else if (name === '--to') selection.to = Number(value);
    else if (!(Number(value) >= 1)) return fail(`${name} needs a number from 1`);
    else if (name === '--most') selection.mostEvents = Math.floor(Number(value));
    else selection.mostActors = Math.floor(Number(value));
  }
  if (file === undefined) return fail('no trace given (perilune trace FILE)');
  return { do: 'trace', file, out, selection };
}

const TRACE_OPTIONS = ['-o', '--actor', '--from', '--to', '--most', '--actors'];
