/**
 * `json.encode`: Lua values → JSON, without recursion. `__tojson` of a value writes it itself, and may
 * suspend: the encoder is an object that goes on where it was.
 */
import { call, suspendIn } from '../../runtime/call.ts';
import type { LuaError } from '../../runtime/error.ts';
import { badArgument, categoryError, codeError } from '../../runtime/error-code.ts';
import { domCategory } from '../../runtime/json-category.ts';
import { DOM } from '../../runtime/json-lex.ts';
import { arrayMeta, jsonNull } from '../../runtime/json-shapes.ts';
import type { JsonWriter } from '../../runtime/json-write.ts';
import { metatableOf } from '../../runtime/metatable.ts';
import {
  arrayOf,
  LuaTable,
  nextEntry,
  rawGet,
  rawGetString,
  rawLength,
  TableIterator,
} from '../../runtime/table.ts';
import {
  isTrue,
  type LuaFunction,
  type LuaValue,
  type Result,
  SUSPEND,
} from '../../runtime/value.ts';
import { attempt } from './errors.ts';

/** A table that is being written; used again for the next one at its depth. */
class Open {
  table: LuaTable | undefined = undefined;
  /** Of an object; undefined for an array. */
  fields: TableIterator | undefined = undefined;
  /** Elements written, and all of them. */
  at = 0;
  length = 0;
}

/** How deep tables may be within each other. */
const MAX_DEPTH = 100_000;

/** Among so many open tables a search by hand is faster than a set. */
const FEW = 12;

export class Encoder {
  private readonly writer: JsonWriter;
  /** What `__tojson` is given: `{writer, visited, indent}`. */
  private readonly state: LuaTable;
  private readonly open: Open[] = [];
  private depth = 0;
  /** The tables that are open: what one of them holds again is a cycle. */
  private readonly visited: LuaTable;
  /** Something may be in it: `__tojson` puts there what it is writing. */
  private asksVisited: boolean;
  private readonly inside = new Set<LuaTable>();

  constructor(writer: JsonWriter, state: LuaTable, visited: LuaTable) {
    this.writer = writer;
    this.state = state;
    this.visited = visited;
    this.asksVisited = nextEntry(visited, undefined) !== undefined;
  }

  /** Write one value, then call `done` for the result. */
  encode(value: LuaValue, done: () => Result): Result {
    const r = this.value(value);
    return r === SUSPEND ? this.later(done) : this.run(done);
  }

  /** Go on when `__tojson` has come back: it may have misused the writer. */
  private later(done: () => Result): Result {
    return suspendIn(() => attempt(() => this.run(done)));
  }

  /** Go on with what is open until all has been closed. */
  private run(done: () => Result): Result {
    const { open, writer } = this;
    while (this.depth > 0) {
      const top = open[this.depth - 1]!;
      let r: Result;
      if (top.fields === undefined) {
        if (top.at >= top.length) {
          writer.endArray();
          this.close();
          continue;
        }
        top.at++;
        r = this.value(rawGet(top.table!, top.at));
      } else {
        if (!top.fields.step()) {
          writer.endObject();
          this.close();
          continue;
        }
        const { key, value } = top.fields;
        if (typeof key !== 'string' || this.isSkipped(value)) continue;
        writer.key(key);
        r = this.value(value);
      }
      if (r === SUSPEND) return this.later(done);
    }
    return done();
  }

  private close(): void {
    const top = this.open[--this.depth]!;
    if (this.depth >= FEW) this.inside.delete(top.table!);
    top.table = undefined;
    top.fields = undefined;
  }

  /** Is the table one of those that are open? */
  private isOpen(t: LuaTable): boolean {
    for (let i = Math.min(this.depth, FEW) - 1; i >= 0; i--) {
      if (this.open[i]!.table === t) return true;
    }
    return this.depth > FEW && this.inside.has(t);
  }

  /** What has no JSON is left out of objects. */
  private isSkipped(v: LuaValue): boolean {
    if (typeof v === 'string' || typeof v === 'number' || typeof v === 'boolean') return false;
    if (v instanceof LuaTable || v === jsonNull) return false;
    return typeof v === 'function' || this.handler(v) === undefined;
  }

  private handler(v: LuaValue): LuaValue {
    const meta = metatableOf(v);
    return meta === undefined || meta === arrayMeta ? undefined : rawGetString(meta, '__tojson');
  }

  /** Write a value, or open the table that it is. @returns SUSPEND where `__tojson` waits */
  private value(v: LuaValue): Result {
    const { writer } = this;
    if (typeof v === 'string') writer.string(v);
    else if (typeof v === 'number') {
      if (!Number.isFinite(v)) throw codeError('EDOM', { arg: 1 });
      writer.number(v);
    } else if (typeof v === 'boolean') writer.literal(v ? 'true' : 'false');
    else if (v === jsonNull) writer.literal('null');
    else {
      const handler = typeof v === 'object' ? this.handler(v as LuaValue) : undefined;
      if (handler !== undefined) {
        this.asksVisited = true;
        return call(handler as LuaFunction, v, this.state);
      }
      if (!(v instanceof LuaTable)) throw badArgument(1);
      this.begin(v);
    }
    return undefined;
  }

  private begin(t: LuaTable): void {
    if (this.isOpen(t) || (this.asksVisited && isTrue(rawGet(this.visited, t)))) {
      throw this.fault(DOM.cycleExists);
    }
    const { open, depth } = this;
    if (depth >= MAX_DEPTH) throw this.fault(DOM.tooManyLevels);
    const length = rawLength(t);
    const isArray = length > 0 || t.meta === arrayMeta;
    if (isArray) this.writer.beginArray();
    else this.writer.beginObject();
    if (depth === open.length) open.push(new Open());
    const top = open[depth]!;
    top.table = t;
    top.fields = isArray ? undefined : new TableIterator(t);
    top.at = 0;
    top.length = length;
    if (depth >= FEW) this.inside.add(t);
    this.depth++;
  }

  private fault(code: number): LuaError {
    const path = this.open
      .slice(0, this.depth)
      .map(({ fields, at }) => (fields === undefined ? at : fields.key));
    return categoryError(domCategory, code, { path: arrayOf(path) });
  }
}
