/** A debugger: the Chrome DevTools Protocol to a program, in terms of Lua lines. It steps as VS Code does. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAIN } from './spec.ts';

interface Message {
  id?: number;
  method?: string;
  params?: any;
  result?: any;
  error?: { message: string };
}

/** For each line of generated text, the mapped columns: Lua's line (from 1), and a name. */
type Mapping = { column: number; line: number; name: string | undefined }[][];

interface LuaScript {
  id: string;
  url: string;
  source: string;
  text: string;
  mapping: Mapping;
}

/** What the debugger shows of a frame. */
export interface Frame {
  /** `name:line`; undefined: no code of the program. */
  at: string | undefined;
  raw: any;
}

/** As bin/perilune gives them. */
const NODE_FLAGS = ['--stack-size=3900', '--no-node-snapshot'];

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function decode(map: { mappings: string; names: string[] }): Mapping {
  let line = 0;
  let name = 0;
  return map.mappings.split(';').map((text) => {
    let column = 0;
    return text
      .split(',')
      .filter((segment) => segment !== '')
      .map((segment) => {
        const fields: number[] = [];
        let value = 0;
        let shift = 0;
        for (const c of segment) {
          const digit = DIGITS.indexOf(c);
          value |= (digit & 31) << shift;
          shift += 5;
          if (digit & 32) continue;
          fields.push(value & 1 ? -(value >> 1) : value >> 1);
          value = shift = 0;
        }
        column += fields[0]!;
        line += fields[2]!;
        if (fields.length > 4) name += fields[4]!;
        return {
          column,
          line: line + 1,
          name: fields.length > 4 ? map.names[name] : undefined,
        };
      });
  });
}

export class LuaDebugger {
  private readonly child: ChildProcess;
  private readonly folder: string;
  private socket!: WebSocket;
  private lastId = 0;
  private readonly answers = new Map<number, (message: Message) => void>();
  private readonly pauses: any[] = [];
  private onPause: (() => void) | undefined;
  readonly scripts = new Map<string, LuaScript>();
  private readonly pending: Promise<void>[] = [];
  /** Lua lines that have a breakpoint. */
  private readonly breakpoints = new Set<number>();
  readonly file: string;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
  stdout = '';
  stderr = '';

  constructor(source: string, flags: string[], env: Record<string, string> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'perilune-test-'));
    this.file = join(this.folder, 'main.lua');
    writeFileSync(this.file, source);
    this.child = spawn(process.execPath, [...NODE_FLAGS, MAIN, ...flags, this.file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    });
    this.child.stdout!.on('data', (data: Buffer) => (this.stdout += data));
    this.child.stderr!.on('data', (data: Buffer) => (this.stderr += data));
    this.ended = new Promise((done) => {
      this.child.on('close', (code) => {
        rmSync(this.folder, { recursive: true });
        done({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Where it listens. */
  async url(): Promise<string> {
    for (;;) {
      const found = /listening on (ws:\S+)/.exec(this.stderr);
      if (found !== null) return found[1]!;
      await new Promise((done) => this.child.stderr!.once('data', done));
    }
  }

  async connect(): Promise<void> {
    this.socket = new WebSocket(await this.url());
    await new Promise((done) => {
      this.socket.onopen = done;
    });
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data as string));
    await this.post('Debugger.enable');
    await this.post('Debugger.setBlackboxPatterns', { patterns: ['/src/', '^node:'] });
    // New code waits until its breakpoints are set.
    const instrumentation = 'beforeScriptWithSourceMapExecution';
    await this.post('Debugger.setInstrumentationBreakpoint', { instrumentation });
    await this.post('Runtime.enable');
    await this.post('Runtime.runIfWaitingForDebugger');
  }

  private receive(message: Message): void {
    const { id, method, params } = message;
    if (id !== undefined) this.answers.get(id)?.(message);
    else if (method === 'Debugger.paused' && params.reason === 'instrumentation') {
      Promise.all(this.pending).then(() => this.post('Debugger.resume'));
    } else if (method === 'Debugger.paused') {
      this.pauses.push(params);
      this.onPause?.();
    } else if (method === 'Runtime.executionContextDestroyed') this.socket.close();
    else if (method === 'Debugger.scriptParsed') {
      const { scriptId, url, sourceMapURL } = params;
      if (!url.startsWith('lua:') || sourceMapURL === '') return;
      const map = JSON.parse(
        Buffer.from(sourceMapURL.slice(sourceMapURL.indexOf(',') + 1), 'base64').toString(),
      );
      const mapping = decode(map);
      const script = {
        id: scriptId,
        url,
        source: map.sources[0],
        text: map.sourcesContent[0],
        mapping,
      };
      this.scripts.set(scriptId, script);
      for (const line of this.breakpoints) this.pending.push(this.breakIn(script, line));
    }
  }

  async post(method: string, params: object = {}): Promise<any> {
    const id = ++this.lastId;
    const answer = new Promise<Message>((done) => this.answers.set(id, done));
    this.socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await answer;
    assert.equal(error, undefined, method);
    return result;
  }

  /** The first place of a script that belongs to the line. */
  private async breakIn({ id, mapping, source }: LuaScript, line: number): Promise<void> {
    if (source !== pathToFileURL(this.file).href) return;
    const js = mapping.findIndex((segments) => segments[0]?.line === line);
    if (js < 0) return;
    const location = { scriptId: id, lineNumber: js, columnNumber: 0 };
    await this.post('Debugger.setBreakpoint', { location });
  }

  async breakAt(line: number): Promise<void> {
    this.breakpoints.add(line);
    await Promise.all([...this.scripts.values()].map((script) => this.breakIn(script, line)));
  }

  /** The frames at the next stop, innermost first. */
  private async nextPause(): Promise<Frame[]> {
    while (this.pauses.length === 0) {
      await new Promise<void>((done, broken) => {
        this.onPause = done;
        // The process waits for the debugger to go.
        this.socket.onclose = () => broken(new Error(`it is gone: ${this.stdout}${this.stderr}`));
      });
    }
    const { callFrames, reason } = this.pauses.shift();
    assert.notEqual(reason, 'exception');
    return callFrames.map((raw: any) => ({ at: this.placeOf(raw), raw }));
  }

  private placeOf({ location, functionLocation }: any): string | undefined {
    const script = this.scripts.get(location.scriptId);
    const line = segmentAt(script, location)?.line;
    if (line === undefined) return undefined;
    return `${segmentAt(script, functionLocation)?.name ?? '?'}:${line}`;
  }

  /** Stops in generated code are none: go on in the same way, as VS Code does. */
  private async go(method: string): Promise<Frame[]> {
    for (let i = 0; i < 200; i++) {
      await this.post(`Debugger.${method}`);
      const frames = await this.nextPause();
      if (frames[0]!.at !== undefined) return frames;
    }
    throw new Error('it never comes back to Lua');
  }

  /** The first stop of `--inspect-brk`, or at an error. */
  stopped = (): Promise<Frame[]> => this.nextPause();
  stepOver = (): Promise<Frame[]> => this.go('stepOver');
  stepInto = (): Promise<Frame[]> => this.go('stepInto');
  stepOut = (): Promise<Frame[]> => this.go('stepOut');
  /** To the next breakpoint. */
  async resume(): Promise<Frame[]> {
    await this.post('Debugger.resume');
    return this.nextPause();
  }

  /** Variables of the program, as the debugger lists them. */
  async variables({ raw }: Frame): Promise<Record<string, unknown>> {
    const found: Record<string, unknown> = {};
    for (const { type, object } of [...raw.scopeChain].reverse()) {
      if (type === 'global' || type === 'script') continue;
      const { result } = await this.post('Runtime.getProperties', { objectId: object.objectId });
      for (const { name, value } of result) {
        if (/\$(?!\d+$)/.test(name)) continue;
        found[name] = value?.description ?? value?.value;
      }
    }
    return found;
  }

  async evaluate({ raw }: Frame, expression: string): Promise<unknown> {
    const { result } = await this.post('Debugger.evaluateOnCallFrame', {
      callFrameId: raw.callFrameId,
      expression,
      returnByValue: true,
    });
    return result.value;
  }

  /** Let it run to its end, or end it. */
  async finish(): Promise<{ code: number | null; stdout: string; stderr: string }> {
    await this.post('Debugger.disable');
    this.socket.close();
    return this.ended;
  }
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

function segmentAt(script: LuaScript | undefined, location: any): Mapping[0][0] | undefined {
  const { lineNumber, columnNumber } = location ?? {};
  return script?.mapping[lineNumber]?.findLast(({ column }) => column <= columnNumber);
}

/** Debug a program. */
export async function debugging(
  source: string,
  use: (session: LuaDebugger) => Promise<void>,
  flags = ['--inspect-brk=127.0.0.1:0'],
  env: Record<string, string> = {},
): Promise<void> {
  const session = new LuaDebugger(source, flags, env);
  try {
    await session.connect();
    await use(session);
  } finally {
    await session.kill();
  }
}
