/**
 * What the process was started with, as bytes: Node decodes arguments and variables as UTF-8, and what
 * is none is lost. And what the variables say that the command itself looks at.
 */
import { readFileSync } from 'node:fs';

const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const wasLost = (text: string): boolean => text.includes('\ufffd');

/** A file of /proc/self: its strings, each ended by a NUL. proc(5) */
function stringsOf(file: 'cmdline' | 'environ'): string[] {
  try {
    return readFileSync(`/proc/self/${file}`, 'latin1').split('\0').slice(0, -1);
  } catch {
    return []; // no such thing on this system
  }
}

/** The arguments behind the name of the command. */
export function commandArguments(): string[] {
  const decoded = process.argv.slice(2);
  if (decoded.some(wasLost)) {
    const all = stringsOf('cmdline');
    if (all.length >= decoded.length) return all.slice(all.length - decoded.length);
  }
  return decoded.map(toBytes);
}

/** The command itself, as it could be started again. */
export function commandName(): string {
  return toBytes((process.argv[1] ?? '').replace(/\bstart\.cjs$/, 'perilune'));
}

function variable(name: string): string | undefined {
  const decoded = process.env[name];
  if (decoded === undefined || !wasLost(decoded)) return decoded && toBytes(decoded);
  const start = `${name}=`;
  return (
    stringsOf('environ')
      .find((line) => line.startsWith(start))
      ?.slice(start.length) ?? decoded
  );
}

/** Where external packages are found. */
export function searchPath(): string[] {
  const separator = process.platform === 'win32' ? ';' : ':';
  return [variable('PERILUNE_PATH'), variable('EMILUA_PATH')]
    .flatMap((list) => (list ?? '').split(separator))
    .filter((directory) => directory !== '');
}

/** The user's directory for caches, unless nothing is to be stored there. https://specifications.freedesktop.org/basedir */
export function cacheDirectory(): string | undefined {
  if (setting('CACHE')?.value === '0') return undefined;
  const named = variable('XDG_CACHE_HOME') ?? '';
  if (named.startsWith('/')) return named;
  const home = variable('HOME') ?? '';
  return home.startsWith('/') ? `${home}/.cache` : undefined;
}

// ── reports ────────────────────────────────────────────────────────────────────────────────────────

/** Severities of syslog(3): a report is printed up to a level. */
export const ERROR = 3;
export const WARNING = 4;

export interface ReportSettings {
  /** The most that is printed. */
  level: number;
  /** undefined: if the standard error stream is a terminal that has colours. */
  colors: boolean | undefined;
  /** What is wrong with the variables. */
  warnings: string[];
}

/** `PERILUNE_X` if it is set, else `EMILUA_X`; an empty one is as good as none. */
function setting(suffix: string): { name: string; value: string } | undefined {
  for (const name of [`PERILUNE_${suffix}`, `EMILUA_${suffix}`]) {
    const value = variable(name);
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}

export function reportSettings(): ReportSettings {
  const settings: ReportSettings = { level: WARNING, colors: undefined, warnings: [] };
  const levels = setting('LOG_LEVELS');
  if (levels !== undefined) readLevels(levels, settings);
  const colors = setting('COLORS');
  if (colors?.value === '1') settings.colors = true;
  else if (colors?.value === '0') settings.colors = false;
  else if (colors !== undefined) {
    settings.warnings.push(`${colors.name} is neither 0 nor 1: '${colors.value}'`);
  }
  // https://no-color.org
  if (settings.colors === undefined && process.env.NO_COLOR) settings.colors = false;
  return settings;
}

/**
 * `[number,]category:number,…`: the bare number is for all categories that are not named. Reports are
 * of the default category, the only one so far.
 */
function readLevels(
  { name, value }: { name: string; value: string },
  settings: ReportSettings,
): void {
  value.split(',').forEach((item, i) => {
    const [, category, level] = /^(?:([^:,]+):)?\s*(-?\d{1,3})$/.exec(item.trim()) ?? [];
    if (level === undefined || (category === undefined && i > 0)) {
      settings.warnings.push(`${name} is a list of 'category:level': '${item}' is ignored`);
    } else if (category === undefined) settings.level = Number(level);
  });
}

/** Colours, decided when the first report is written: most programs have none. */
export function wantsColors({ colors }: ReportSettings): boolean {
  return (
    colors ??
    (process.getBuiltinModule('node:tty').isatty(2) && (process.env.TERM ?? 'dumb') !== 'dumb')
  );
}

/** A panic: its title bold and red, the message in bold, the traceback in the background. */
export function colored(text: string): string {
  const title = /^.* panicked: |^VM .*\n|^Possible deadlock.*\n/.exec(text)?.[0];
  if (title === undefined) return text;
  const rest = text.slice(title.length);
  const trace = rest.lastIndexOf('\nstack traceback:');
  if (trace < 0)
    return `${RED}${title.trimEnd()}${PLAIN}${title.slice(title.trimEnd().length)}${rest}`;
  return `${RED}${title}${PLAIN}${BOLD}${rest.slice(0, trace)}${PLAIN}${DIM}${rest.slice(trace, -1)}${PLAIN}\n`;
}

const RED = '\x1b[1;31m';
const BOLD = '\x1b[1m';
const DIM = '\x1b[2m';
const PLAIN = '\x1b[m';
