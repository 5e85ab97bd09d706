/** Source maps: which Lua line each line of emitted JavaScript belongs to. ECMA-426 */

export interface MappedText {
  /** Lua line of each line of the text, from 1; 0 where there is none. */
  lines: ArrayLike<number>;
  /** Lines at which a debugger is not to stop: they belong to what is before them. */
  hidden: ReadonlySet<number>;
  js: string;
  /** The chunk's functions, by index. */
  functions: readonly { name: string }[];
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** A number as base 64 digits of five bits, the lowest first; the first bit is the sign. */
function vlq(n: number): string {
  let rest = n < 0 ? (-n << 1) | 1 : n << 1;
  let text = '';
  do {
    const digit = rest & 31;
    rest >>>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}

/** A local whose name is taken: `x$2` is another `x`. */
const RENAMED = /(?<![\w$.])([A-Za-z_]\w*)\$\d+(?![\w$])/g;

/** A function of the program, from its name on. */
const FUNCTION = /(?<=\bfunction )\w+\$f(\d+)\(/g;

interface Place {
  at: number;
  name?: string;
}

/** Where names begin and end in a line. */
function namesIn(text: string, functions: readonly { name: string }[]): Place[] {
  const places: Place[] = [];
  for (const { 0: whole, 1: index, index: at } of text.matchAll(FUNCTION)) {
    const name = functions[Number(index)]!.name || '(anonymous)';
    // Debuggers look at the one place or the other.
    places.push({ at, name }, { at: at + whole.length - 1, name }, { at: at + whole.length });
  }
  for (const { 0: whole, 1: name, index: at } of text.matchAll(RENAMED))
    places.push({ at, name: name! }, { at: at + whole.length });
  return places.sort((a, b) => a.at - b.at);
}

/** @param source  where the Lua text is, as a URL, and the text */
export function sourceMap(
  { lines, hidden, js, functions }: MappedText,
  source: { url: string; text: string },
): string {
  const names = new Map<string, number>();
  let lastLine = 0;
  let lastName = 0;
  const mappings = js.split('\n').map((text, i) => {
    // The main chunk is a function at line 0.
    const line = lines[i + 1] || (text.search(FUNCTION) >= 0 ? 1 : 0);
    if (line === 0 || hidden.has(i + 1)) return '';
    let lastColumn = 0;
    const segments: string[] = [];
    const segment = (column: number, name?: string): void => {
      let s = vlq(column - lastColumn) + vlq(0) + vlq(line - 1 - lastLine) + vlq(0);
      lastColumn = column;
      lastLine = line - 1;
      if (name !== undefined) {
        if (!names.has(name)) names.set(name, names.size);
        s += vlq(names.get(name)! - lastName);
        lastName = names.get(name)!;
      }
      segments.push(s);
    };
    segment(0);
    for (const { at, name } of namesIn(text, functions)) segment(at, name);
    return segments.join(',');
  });
  return JSON.stringify({
    version: 3,
    sources: [source.url],
    sourcesContent: [source.text],
    names: [...names.keys()],
    mappings: mappings.join(';'),
  });
}
