/**
 * Official Lua test suites, from folders that the user names; none is part of this repository.
 *
 *   npm run conformance -- DIR [--file NAME] [--mode ordinary|suspending] [--verbose]
 *
 * DIR is a suite, or holds some: Lua 5.1's (`lua5.1-tests`: it has all.lua and nextvar.lua), LuaJIT's
 * (LuaJIT-test-cleanup, or its `test/`: test.lua and lang/), or any folder of programs that end without an
 * error. Each file runs in a process of its own, as it is and with every call suspending, on a copy of its folder.
 * What does not apply is in conformance/does-not-apply.txt, each with its reason.
 */
import { fork } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { limitCpuTime } from './cpu-time.ts';

/** Of one file, in seconds of CPU time; five times as long in all. Suspending at every call takes up to ten times as long. */
const TIME_LIMIT = { ordinary: 60, suspending: 240 };
const MODES = ['ordinary', 'suspending'] as const;
type Mode = (typeof MODES)[number];

// ── what does not apply ────────────────────────────────────────────────────────────────────────────

interface Exception {
  /** `suite/file`. */
  file: string;
  /** Left out of the file, or the whole file. */
  lines: [from: RegExp, to: RegExp] | undefined;
  /** A named test of the file. */
  test: string | undefined;
  reason: string;
}

const LINE = /^(\S+?)(?: \[\/(.+?)\/(?: \.\. \/(.+)\/)?\]| #(.+)#)?: (.+)$/;

export function parseExceptions(text: string): Exception[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .map((line) => {
      const m = LINE.exec(line);
      if (m === null) throw new Error(`does-not-apply.txt: cannot read: ${line}`);
      const [, file = '', from, to = from, test, reason = ''] = m;
      return {
        file,
        lines: from === undefined ? undefined : [new RegExp(from), new RegExp(to!)],
        test,
        reason,
      };
    });
}

/** The text with these lines made empty; line numbers stay. */
export function leaveOut(text: string, from: RegExp, to: RegExp): string | undefined {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => from.test(line));
  if (start < 0) return undefined;
  const end =
    from === to || from.source === to.source
      ? start
      : lines.findIndex((line, i) => i >= start && to.test(line));
  if (end < 0) return undefined;
  return lines.map((line, i) => (i >= start && i <= end ? '' : line)).join('\n');
}

// ── suites ─────────────────────────────────────────────────────────────────────────────────────────

interface Suite {
  name: string;
  folder: string;
  files: string[];
}

function findSuites(folder: string): Suite[] {
  const has = (name: string): boolean => existsSync(join(folder, name));
  const programs = (pattern: string, ...not: string[]): string[] =>
    globSync(pattern, { cwd: folder })
      .filter((f) => !not.includes(f) && !f.startsWith('common/'))
      .sort();
  if (has('all.lua') && has('nextvar.lua')) {
    return [{ name: 'lua5.1', folder, files: programs('*.lua', 'all.lua', 'checktable.lua') }];
  }
  if (has('test.lua') && has('lang'))
    return [{ name: 'luajit', folder, files: programs('**/*.lua', 'test.lua') }];
  if (has('test/test.lua') && has('test/lang')) return findSuites(join(folder, 'test'));
  const files = programs('*.lua');
  if (files.length > 0) return [{ name: basename(folder), folder, files }];
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isDirectory())
    .flatMap(findSuites);
}

// ── LuaJIT's suite: files of named tests, with conditions ──────────────────────────────────────────

/** Conditions in the suite's words. Its JIT tests are programs like others: they run here too. */
const TAGS: Record<string, number | true> = {
  lua: 5.1,
  luajit: 2.1,
  'compat5.2': true,
  hexfloat: true,
  goto: true,
  bit: true,
  'table.new': true,
  jit: true,
  slow: true,
  le: true,
  abi64: true,
  x64: true,
  linux: true,
  dse: true,
  fold: true,
  fwd: true,
  fuse: true,
  loop: true,
  sink: true,
};

/** The first condition in `meta` that does not hold, or undefined. */
export function unmetCondition(meta: string): string | undefined {
  for (const [condition, sign, tag, op, limit] of meta.matchAll(
    /(?<=^| )([+-])([\w.]+?)(?:([<>=]+)([\d.]+))?(?= |$)/g,
  )) {
    const value = TAGS[tag!];
    let holds = value !== undefined;
    if (holds && op !== undefined) {
      const [a, b] = [Number(value), Number(limit)];
      holds = { '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b, '==': a === b }[op] ?? false;
    }
    if (holds === (sign === '-')) return condition;
  }
  return undefined;
}

/** Conditions that the `index` files put on a file. */
function indexCondition(folder: string, file: string): string | undefined {
  const parts = file.split('/');
  for (let i = 0; i < parts.length; i++) {
    const path = join(folder, ...parts.slice(0, i), 'index');
    if (!existsSync(path)) continue;
    const line = readFileSync(path, 'latin1')
      .split('\n')
      .find((l) => l.split(/\s/)[0] === parts[i]);
    const unmet = line === undefined ? undefined : unmetCondition(line);
    if (unmet !== undefined) return unmet;
  }
  return undefined;
}

const NAMED_TEST = /^do --- +(.+?)((?: +[-+!@][^ ]+)*)\s*$/;

/** A file of named tests → a list of functions; undefined where the file has none. */
function asPlan(text: string, skip: (name: string, meta: string) => boolean): string | undefined {
  let tests = 0;
  const lines = text.split('\n');
  const out: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const m = NAMED_TEST.exec(lines[i]!);
    if (m === null) {
      out.push(lines[i]!);
      continue;
    }
    const [, name = '', meta = ''] = m;
    if (skip(name, meta)) {
      // Up to the line that closes it, which may not even be valid here.
      out.push('');
      while (++i < lines.length && !/^end\b/.test(lines[i]!)) out.push('');
      out.push('');
      continue;
    }
    out.push(
      `${tests++ === 0 ? 'return {' : ','}${JSON.stringify(name)}, ${meta.includes('!private_G')}, function()`,
    );
  }
  if (tests === 0) return lines.some((line) => NAMED_TEST.test(line)) ? 'return {}' : undefined;
  return `${out.join('\n')}}`;
}

// ── running ────────────────────────────────────────────────────────────────────────────────────────

/** Runs a list of tests, each protected; `!private_G` gives one a global table of its own. */
const PLAN_DRIVER = `
local plan = assert(loadfile(FILE))()
for i = 1, #plan, 3 do
  local name, private, f = plan[i], plan[i + 1], plan[i + 2]
  if private then
    local G = setmetatable({}, {__index = _G})
    G._G = G
    setfenv(f, G)
  end
  __report(name, xpcall(f, debug.traceback))
end`;

/** What the files of Lua 5.1's suite return, where its all.lua looks at it. */
const RESULTS: Record<string, string> = {
  'calls.lua': 'deep',
  'attrib.lua': '27',
  'locals.lua': '5',
  'events.lua': '12',
  'verybig.lua': '10',
};

function driverFor(suite: Suite, file: string, isPlan: boolean): string {
  const head = `local FILE = ${JSON.stringify(file)}\n`;
  if (isPlan) return head + PLAN_DRIVER;
  if (suite.name === 'lua5.1') {
    const prelude = 'math.randomseed(0) function Message() end\n';
    if (file === 'big.lua') {
      return `${head}${prelude}__report(FILE, xpcall(function() local f = coroutine.wrap(assert(loadfile(FILE))) assert(f() == 'b') assert(f() == 'a') end, debug.traceback))`;
    }
    const check = RESULTS[file] === undefined ? '' : `assert(r == ${RESULTS[file]})`;
    return `${head}${prelude}__report(FILE, xpcall(function() local r = assert(loadfile(FILE))() ${check} end, debug.traceback))`;
  }
  return `${head}__report(FILE, xpcall(assert(loadfile(FILE)), debug.traceback))`;
}

interface Outcome {
  name: string;
  ok: boolean;
  message: string;
}

/** Run a driver in a child. Tests that it does not report, because it died, are one failure. */
function run(driver: string, cwd: string, mode: Mode, verbose: boolean): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let panic = '';
  const args = [mode === 'suspending' ? '--suspend-every-call' : '--', verbose ? '--verbose' : ''];
  const child = fork(join(import.meta.dirname, 'conformance/run-file.ts'), [driver, ...args], {
    cwd,
    execArgv: ['--stack-size=3900', '--max-old-space-size=3000'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const seconds = TIME_LIMIT[mode];
  const stop = (): void => {
    panic += `no end after ${seconds} s`;
    child.kill('SIGKILL');
  };
  const stopLooking = limitCpuTime(child.pid!, seconds, stop);
  const timer = setTimeout(stop, 5000 * seconds);
  child.on('message', (message: Outcome | { panic: string }) => {
    if ('panic' in message) panic += message.panic;
    else outcomes.push(message);
  });
  return new Promise((done) => {
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      stopLooking();
      if (panic === '' && (code !== 0 || outcomes.length === 0))
        panic = `ended with ${signal ?? code}`;
      if (panic !== '') outcomes.push({ name: 'the program', ok: false, message: panic });
      done(outcomes);
    });
  });
}

interface Totals {
  passed: number;
  total: number;
}

async function runSuite(
  suite: Suite,
  exceptions: Exception[],
  options: { file?: string; modes: readonly Mode[]; verbose: boolean },
): Promise<boolean> {
  const scratch = mkdtempSync(join(tmpdir(), 'perilune-conformance-'));
  const totals: Record<Mode, Totals> = {
    ordinary: { passed: 0, total: 0 },
    suspending: { passed: 0, total: 0 },
  };
  const left: string[] = [];
  const stale: string[] = [];
  try {
    for (const file of suite.files) {
      if (options.file !== undefined && !file.includes(options.file)) continue;
      const name = `${suite.name}/${file}`;
      const mine = exceptions.filter((e) => e.file === name);
      const whole = mine.find((e) => e.lines === undefined && e.test === undefined);
      const condition = suite.name === 'luajit' ? indexCondition(suite.folder, file) : undefined;
      if (whole !== undefined || condition !== undefined) {
        left.push(`${name}: ${whole?.reason ?? `needs ${condition}`}`);
        continue;
      }
      let text = readFileSync(join(suite.folder, file), 'latin1');
      for (const { lines, reason } of mine) {
        if (lines === undefined) continue;
        const rest = leaveOut(text, ...lines);
        if (rest === undefined) stale.push(`${name}: nothing matches ${lines[0]} .. ${lines[1]}`);
        else {
          text = rest;
          left.push(`${name}, a part: ${reason}`);
        }
      }
      const plan = asPlan(text, (test, meta) => {
        const unmet = unmetCondition(meta);
        const exception = mine.find((e) => e.test === test);
        const why = exception?.reason ?? (unmet === undefined ? undefined : `needs ${unmet}`);
        if (why !== undefined) left.push(`${name}, ${test}: ${why}`);
        return why !== undefined;
      });
      for (const mode of options.modes) {
        // A suite writes files beside its own.
        const cwd = mkdtempSync(join(scratch, 'copy-'));
        cpSync(suite.folder, cwd, { recursive: true });
        if (suite.name === 'lua5.1') mkdirSync(join(cwd, 'libs/P1'), { recursive: true });
        writeFileSync(join(cwd, file), plan ?? text, 'latin1');
        const driver = join(scratch, 'driver.lua');
        writeFileSync(driver, driverFor(suite, file, plan !== undefined));
        const start = performance.now();
        const outcomes = await run(driver, cwd, mode, options.verbose);
        const passed = outcomes.filter((o) => o.ok).length;
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        totals[mode].passed += passed;
        totals[mode].total += outcomes.length;
        if (passed < outcomes.length || options.verbose)
          console.log(`${name} (${mode}, ${seconds} s): ${passed}/${outcomes.length}`);
        for (const o of outcomes)
          if (!o.ok) console.log(`  ${o.name}: ${o.message.trim().replaceAll('\n', '\n    ')}`);
        rmSync(cwd, { recursive: true, force: true });
      }
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  console.log(`\n${suite.name}: ${relative('', suite.folder) || '.'}`);
  if (left.length > 0) console.log(`does not apply:\n${left.map((l) => `  ${l}`).join('\n')}`);
  for (const line of stale)
    console.log(`  does-not-apply.txt is for another version of this suite: ${line}`);
  for (const mode of options.modes)
    console.log(`${suite.name}, ${mode}: ${totals[mode].passed}/${totals[mode].total} passed`);
  return options.modes.every((mode) => totals[mode].passed === totals[mode].total);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      file: { type: 'string' },
      mode: { type: 'string' },
      verbose: { type: 'boolean', default: false },
    },
  });
  const modes = MODES.filter((mode) => values.mode === undefined || values.mode === mode);
  const suites = positionals.flatMap((folder) => findSuites(resolve(folder)));
  if (suites.length === 0 || modes.length === 0) {
    console.error(
      'npm run conformance -- DIR [--file NAME] [--mode ordinary|suspending] [--verbose]',
    );
    process.exit(2);
  }
  const exceptions = parseExceptions(
    readFileSync(join(import.meta.dirname, 'conformance/does-not-apply.txt'), 'utf8'),
  );
  let good = true;
  for (const suite of suites)
    good = (await runSuite(suite, exceptions, { ...values, modes })) && good;
  process.exitCode = good ? 0 : 1;
}

if (import.meta.main) await main();
