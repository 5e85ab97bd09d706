/** The command line. Program arguments come after `--`. */

export const USAGE = `Usage: perilune [OPTION]... FILE [-- ARG...]

Runs the Lua program FILE (a directory stands for its init.lua).

  -h, --help               print this and exit
  --version                print versions and exit
  --test                   run with _CONTEXT = "test"
  --main-context-concurrency-hint HINT
                           1 or safe (default)
  --compile FILE           print the JavaScript that FILE becomes, and exit
  --suspend-every-call     debugging aid: every Lua call suspends and resumes once
  --test-schedule SEED     for tests: run ready fibers in an order that depends on SEED, with
                           timers on a virtual clock
  --fiber-dump             on Ctrl-C, or when fibers are left at the end: print them all (SIGUSR1
                           does so at any time)

Environment (each also as EMILUA_…):
  PERILUNE_PATH            directories of external packages, separated by colons
  PERILUNE_COLORS          1 or 0: colours in reports of errors, or none
  PERILUNE_LOG_LEVELS      3 and more: reports of errors (default 4); 0: none
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
    };

const fail = (message: string): Invocation => ({ do: 'fail', message });

export function parseArguments(argv: readonly string[]): Invocation {
  let file: string | undefined;
  let args: string[] = [];
  let context: 'main' | 'test' = 'main';
  let concurrencyHint: '1' | 'safe' = 'safe';
  let suspendAll = false;
  let testSchedule: number | undefined;
  let fiberDump = false;
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
    else if (arg === '--test-schedule' || arg.startsWith('--test-schedule=')) {
      const value = arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : argv[++i];
      if (value === undefined || !/^\d{1,9}$/.test(value))
        return fail('--test-schedule needs a number');
      testSchedule = Number(value);
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
  return { do: 'run', file, args, context, concurrencyHint, suspendAll, testSchedule, fiberDump };
}
