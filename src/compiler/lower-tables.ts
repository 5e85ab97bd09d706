/** Fields, elements, and constructors of tables. */
import { pathTo } from './ahead.ts';
import type { Expr, TableExpr } from './ast.ts';
import type { OpNames, Var } from './ir.ts';
import { isMulti } from './library.ts';
import { ExpressionLowering } from './lower-expressions.ts';
import {
  type ClassTest,
  type Dst,
  type Ex,
  isFieldKey,
  isImmediate,
  isOrdered,
  isWatched,
  keyTests,
  LITERAL,
  member,
  NO_VARS,
  NO_ZERO,
  name,
} from './lower-values.ts';

export abstract class TableLowering extends ExpressionLowering {
  /** A call or `...` as JavaScript text for a list of values. */
  protected abstract multi(e: Expr): { js: string; vars: Var[]; raw?: string };

  /** A value that the program expects to be nil at times. */
  protected maybeNil(e: Expr): Ex {
    if (e.kind === 'paren') return this.maybeNil(e.inner);
    if (e.kind !== 'index') return this.exp(e);
    this.line = e.line;
    return this.indexGet(e, undefined, true);
  }

  protected indexGet(e: Extract<Expr, { kind: 'index' }>, dst?: Dst, maybeNil = false): Ex {
    if (isFieldKey(e.key)) {
      const obj = this.object(this.exp(e.obj));
      this.line = e.line;
      return this.fieldGet(obj, e.key.value, [name(e.obj)], dst);
    }
    const o = this.leftOf(this.exp(e.obj), e.key);
    const k = this.exp(e.key);
    const obj = this.object(o);
    const key = this.atom(k);
    this.line = e.line;
    const vars = [...obj.vars, ...key.vars];
    const { v, decl } = this.target(dst !== undefined && !vars.includes(dst.v) ? dst : undefined);
    const d = decl === '' ? '' : `let ${v.name}; `;
    const path = this.pathOf(obj);
    this.lookAhead(path, true);
    const own = this.keyed();
    const args = `(${obj.js}, ${key.js})`;
    const slow = `(${v.name} = ${own}.get === undefined ? ${own}.first${args} : ${own}.get${args}) === $SUSPEND) return `;
    if (key.constant && !key.num) {
      this.emitSite(`${d}if (${slow}`, ';', vars, v, 'one', [name(e.obj)], own);
    } else {
      const tests = keyTests(key);
      // Reading on beyond the end would always do, but V8 makes an object of each number that it reads
      // in a place where that happens.
      if (maybeNil) tests.push(this.inArray(obj, key));
      const array = maybeNil ? 'a$' : this.arrayOf(obj);
      tests.push(`(${v.name} = ${array}[${key.js}]) !== undefined`);
      if (!(key.num && key.min >= 1)) tests.push(`(${key.js} !== 0 || ${v.name} !== ${NO_ZERO})`);
      this.emitSite(
        `${d}if (${tests.join(' && ')}); else if (${slow}`,
        ';',
        vars,
        v,
        'one',
        [name(e.obj)],
        own,
      );
    }
    const tests = keyTests(k);
    if (path === undefined || !(k.num || k.atom)) return this.varEx(v);
    const at = { tests, vars: k.vars };
    return { ...this.varEx(v), path: pathTo(path, `.arr[${k.js}]`, at) };
  }

  protected fieldGet(obj: Ex, key: string, names: OpNames, dst?: Dst): Ex {
    const { v, decl } = this.target(
      dst !== undefined && !obj.vars.includes(dst.v) ? dst : undefined,
      key,
    );
    if (this.runsOnce) {
      const read = `$O.index(${obj.js}, ${JSON.stringify(key)})`;
      this.emitSite(
        `${decl}${v.name} = ${read}; if (${v.name} === $SUSPEND) return `,
        ';',
        obj.vars,
        v,
        'one',
        names,
      );
      return this.varEx(v);
    }
    const get = `$g${this.field(key)}`;
    const from = this.pathOf(obj);
    const path = from && pathTo(from, member(key));
    this.lookAhead(path, false);
    this.emitSite(
      `${decl}${v.name} = ${obj.js}${member(key)}; if (${v.name} === undefined && (${v.name} = ${get}(${obj.js})) === $SUSPEND) return `,
      ';',
      obj.vars,
      v,
      'one',
      names,
      get,
    );
    return { ...this.varEx(v), path };
  }

  protected fieldSet(obj: Ex, key: string, value: Ex, names: OpNames): void {
    const val = this.atom(value);
    if (this.runsOnce) {
      const store = `$O.setField(${obj.js}, ${JSON.stringify(key)}, ${val.js})`;
      const vars = [...obj.vars, ...val.vars];
      this.emitSite(`if (${store} === $SUSPEND) return `, ';', vars, undefined, 'none', names);
      return;
    }
    const place = `${obj.js}${member(key)}`;
    const test = val.notNil ? '' : ` && ${val.js} !== undefined`;
    const set = `$s${this.field(key)}`;
    // The runtime is to hear of watched ones: it may have made classes of what they were.
    const path = this.pathOf(obj);
    if (path !== undefined) this.lookAhead(pathTo(path, member(key)), false);
    const quick = isWatched(key)
      ? ''
      : `if (${place} !== undefined${test}) ${place} = ${val.js}; else `;
    this.emitSite(
      `${quick}if (${set}(${obj.js}, ${val.js}) === $SUSPEND) return `,
      ';',
      [...obj.vars, ...val.vars],
      undefined,
      'none',
      names,
      set,
    );
  }

  /**
   * In a long chunk, outside of functions and loops: what is emitted there is to be short, since V8 takes more time for
   * its text than to run it.
   */
  protected get runsOnce(): boolean {
    if (!this.isMain || this.loops.length > 0 || this.readable !== undefined) return false;
    return this.options.later.own !== Number.POSITIVE_INFINITY;
  }

  /** In a loop, and not for people: see `overCallee`. */
  protected get empties(): boolean {
    return this.loops.length > 0 && this.readable === undefined;
  }

  /** The array part. In a loop it has a name, since V8 may keep what has none up to the next such value: `dropScratch`. */
  protected arrayOf(obj: Ex): string {
    if (!this.empties) return `${obj.js}.arr`;
    this.code.scratch = true;
    return `(a$ = ${obj.js}.arr)`;
  }

  /** The test that a positive key is an element's, which leaves the array in `a$`. */
  protected inArray(obj: Ex, key: Ex): string {
    this.code.scratch = true;
    return `${key.js} < (a$ = ${obj.js}.arr).length`;
  }

  protected indexSet(obj: Ex, key: Ex, value: Ex, names: OpNames): void {
    const k = this.atom(key);
    const val = this.atom(value);
    const own = this.keyed();
    const args = `(${obj.js}, ${k.js}, ${val.js})`;
    const slow = `(${own}.set === undefined ? ${own}.firstSet${args} : ${own}.set${args}) === $SUSPEND) return `;
    const vars = [...obj.vars, ...k.vars, ...val.vars];
    if (k.constant && !k.num) {
      this.emitSite(`if (${slow}`, ';', vars, undefined, 'none', names, own);
      return;
    }
    this.lookAhead(this.pathOf(obj), true);
    this.code.scratch = true;
    const tests = [...keyTests(k)];
    if (!val.notNil) tests.push(`${val.js} !== undefined`);
    if (!(k.num && k.min >= 1))
      tests.push(
        `(${k.js} !== 0 || (${obj.js}.arr[0] !== ${NO_ZERO} && ${val.js} !== ${NO_ZERO}))`,
      );
    // One more than there are elements: not the first, and not where `append` looks at the whole array.
    const grows = `${k.js} === a$.length && a$ !== $EMPTY && (${k.js} & (${k.js} - 1)) !== 0 && ${obj.js}.meta === undefined && ${obj.js}.hash === undefined`;
    tests.push(`(${k.js} < (a$ = ${obj.js}.arr).length ? a$[${k.js}] !== undefined : ${grows})`);
    this.emitSite(
      `if (${tests.join(' && ')}) a$[${k.js}] = ${val.js}; else if (${slow}`,
      ';',
      vars,
      undefined,
      'none',
      names,
      own,
    );
  }

  /** What `countFields` says of the table that is made next. */
  protected laterFields = 0;

  /** @param ofClass  the table is to be made as one of a class, with the metatable that this evaluates */
  protected table(e: TableExpr, ofClass?: ClassTest): Ex {
    const { line } = this;
    const { items } = e;
    const named = items.filter((item) => item.key !== undefined && isFieldKey(item.key)).length;
    const last = items.at(-1);
    const open =
      last !== undefined && last.key === undefined && isMulti(last.value) ? last.value : undefined;
    const later = this.laterFields;
    const fields = named + Math.max(0, later);
    // One of elements alone will hardly get fields; of `{}` nothing is known.
    const sized = fields === 0 ? 1 : ([2, 4, 8, 12, 16, 24].find((n) => n >= fields) ?? 32);
    const maker = `$T${items.length === 0 && later === 0 ? 0 : sized}`;
    // Tables inside this one are others.
    this.laterFields = 0;
    const make = (t: Var): void => {
      const test = ofClass?.test();
      t.decl = this.pos + 1;
      const own = `new ${maker}()`;
      const made = test === undefined ? own : `(m$ = ${test.js}) ? new m$() : ${own}`;
      const mark = named > 0 ? ` ${t.name}.named = true;` : '';
      this.emitLine(`const ${t.name} = ${made};${mark}`, test?.vars);
    };
    const lastCode =
      ofClass?.isPlain === false
        ? items.length
        : items.findLastIndex(
            ({ key, value }) => !isImmediate(value) || (key !== undefined && !isImmediate(key)),
          );
    const t = this.temp();
    const ordered = isOrdered(e);
    if (ordered || items.length > LITERAL) {
      make(t);
      this.fillTable(t, items, open, ordered);
      return { ...this.varEx(t), notNil: true };
    }
    const elements: Ex[] = [];
    const stores: { js: string; vars: Var[] }[] = [];
    items.forEach((item, i) => {
      if (item === last && open !== undefined) return;
      const keep = (ex: Ex): Ex => (ex.cell !== '' && i <= lastCode ? this.spill(ex) : ex);
      if (item.key === undefined) elements.push(keep(this.exp(item.value)));
      else if (isFieldKey(item.key)) {
        const value = keep(this.exp(item.value));
        this.field(item.key.value);
        stores.push({ js: `${member(item.key.value)} = ${value.js};`, vars: value.vars });
      } else {
        const key = keep(this.exp(item.key));
        const value = keep(this.exp(item.value));
        stores.push({ js: `${key.js}, ${value.js});`, vars: [...key.vars, ...value.vars] });
      }
    });
    const tail = open === undefined ? undefined : this.multi(open);
    this.line = line;
    make(t);
    const vars = [t, ...elements.flatMap((x) => x.vars), ...(tail?.vars ?? NO_VARS)];
    const list = [NO_ZERO, ...elements.map((x) => x.js)].join(', ');
    if (tail !== undefined) this.emitLine(`${t.name}.arr = $trim([${list}, ...${tail.js}]);`, vars);
    else if (elements.length > 0) {
      const text = elements.at(-1)!.notNil ? `[${list}]` : `$trim([${list}])`;
      this.emitLine(`${t.name}.arr = ${text};`, vars);
    }
    for (let i = 0; i < stores.length; i++) {
      const { js, vars: used } = stores[i]!;
      const isField = js.startsWith('.') || js.startsWith('[');
      this.emitLine(isField ? t.name + js : `$rawset(${t.name}, ${js}`, [t, ...used]);
    }
    return { ...this.varEx(t), notNil: true };
  }

  /**
   * Item by item: for constructors too long for one literal, and (`ordered`) for those in which a key
   * may be one of the positions, since the later item wins. LuaJIT stores an open last item at the end.
   */
  protected fillTable(
    t: Var,
    items: TableExpr['items'],
    open: Expr | undefined,
    ordered: boolean,
  ): void {
    let position = 0;
    let array: Var | undefined;
    if (!ordered && items.some(({ key }) => key === undefined)) {
      array = this.temp();
      this.emitLine(`const ${array.name} = [${NO_ZERO}];`);
    }
    for (const [i, { key, value }] of items.entries()) {
      if (i === items.length - 1 && open !== undefined) break;
      if (key === undefined) {
        const v = this.exp(value);
        position++;
        if (array !== undefined) {
          this.emitLine(`${array.name}.push(${v.js});`, [array, ...v.vars]);
        } else this.emitLine(`$rawset(${t.name}, ${position}, ${v.js});`, [t, ...v.vars]);
      } else if (isFieldKey(key)) {
        const v = this.exp(value);
        this.field(key.value);
        this.emitLine(`${t.name}${member(key.value)} = ${v.js};`, [t, ...v.vars]);
      } else {
        let k = this.exp(key);
        if (k.cell !== '' && !isImmediate(value)) k = this.spill(k);
        const v = this.exp(value);
        this.emitLine(`$rawset(${t.name}, ${k.js}, ${v.js});`, [t, ...k.vars, ...v.vars]);
      }
    }
    const tail = open === undefined ? undefined : this.multi(open);
    if (array !== undefined) {
      if (tail !== undefined) {
        this.emitLine(`$pushAll(${array.name}, ${tail.js});`, [array, ...tail.vars]);
      }
      this.emitLine(`${t.name}.arr = $trim(${array.name});`, [t, array]);
    } else if (tail !== undefined) {
      this.emitLine(`$setList(${t.name}, ${position}, ${tail.js});`, [t, ...tail.vars]);
    }
  }
}
