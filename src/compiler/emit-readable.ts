/** Structured code → the same JavaScript that runs, laid out for people: each line of Lua above what it becomes. */
import { Printer } from './emit.ts';
import type { ChunkCode } from './ir.ts';
import { nextOutside } from './text.ts';

const HEAD = `// Names that begin with $ are the runtime's, or values between two operations; those that end with $: F$ is the
// function, E$ its globals, va$ its "...". A field "x" of a table is its property $x.
// Where a call may suspend, the frame saves itself ($S) with what the rest of the function needs.`;

class ReadablePrinter extends Printer {
  private readonly source: readonly string[];
  private depth = 1;
  private shown = 0;

  constructor(source: string) {
    super();
    this.source = source.split('\n');
  }

  protected override line(js: string, lua: number): void {
    if (js.startsWith('}')) this.depth--;
    else if (lua > 0 && lua !== this.shown) {
      const text = this.source[lua - 1]?.trim() ?? '';
      this.put(`// ${lua}: ${text.replace(/[^\t\x20-\x7e]/g, '?')}`);
      this.shown = lua;
    }
    for (let from = 0; from < js.length; ) {
      const end = nextOutside(js, from, ';') + 1;
      this.put(js.slice(from, end).trim());
      from = end;
    }
    if (/\{( let a\$, m\$;)?$/.test(js)) this.depth++;
  }

  private put(text: string): void {
    if (text !== '') this.out.push('  '.repeat(this.depth) + text);
  }

  text(fields: ReadonlyMap<string, number>): string {
    const helpers = this.helpers(fields).map((text) => `  ${text}\n`);
    const [first, ...rest] = this.out;
    const body = [`  return ($E) => ${first!.trim()}`, ...rest].join('\n');
    return `${HEAD}\n(function ($K) {\n  "use strict";\n${helpers.join('')}${body}\n})`;
  }
}

/** A chunk's main function, all others inside it, before anything of it has been suspended. */
export function showChunk({ main, fields }: ChunkCode, source: string): string {
  const printer = new ReadablePrinter(source);
  printer.func(main, '', ';', 0);
  return printer.text(fields);
}
