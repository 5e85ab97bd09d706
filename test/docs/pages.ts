/** Reads the pages of docs/: what they have entries for, and the programs that they show. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** A program that a page shows, with the output that it promises. */
export interface Example {
  /** `docs/ref/string.md:31` */
  place: string;
  lua: string;
  /** undefined: the page only shows the text, which must compile. */
  output: string | undefined;
  /** Other modules and texts, by file name: earlier blocks of the page whose fence names a file. */
  files: Record<string, string>;
}

/** One heading and what stands below it, up to the next. */
interface Section {
  heading: string;
  /** Names that have their own entry: in the heading, or at the start of a list item or table row. */
  entries: Set<string>;
  /** All text in backquotes. */
  mentions: Set<string>;
}

export interface Page {
  path: string;
  sections: Section[];
  examples: Example[];
}

/** Pages below docs/, and README.md. */
export function readPages(): Page[] {
  const paths = [...globSync('docs/**/*.md', { cwd: root }).sort(), 'README.md'];
  return paths.filter((path) => existsSync(join(root, path))).map(readPage);
}

export const isReference = ({ path }: Page): boolean =>
  path.startsWith('docs/ref/') && basename(path) !== 'README.md';

function readPage(path: string): Page {
  const page: Page = { path, sections: [], examples: [] };
  const lines = readFileSync(join(root, path), 'utf8').split('\n');
  const files: Record<string, string> = {};
  let section: Section = { heading: '', entries: new Set(), mentions: new Set() };
  page.sections.push(section);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const fence = /^```(\w*) ?(.*)$/.exec(line);
    if (fence !== null) {
      const end = lines.indexOf('```', i + 1);
      if (end < 0) throw new Error(`${path}:${i + 1}: this code block is not closed`);
      const text = `${lines.slice(i + 1, end).join('\n')}\n`;
      const [, language, file] = fence;
      if (file !== '' && (language === 'lua' || language === 'text')) files[file!] = text;
      else if (language === 'lua') {
        const place = `${path}:${i + 1}`;
        page.examples.push({ place, lua: text, output: undefined, files: { ...files } });
      } else if (language === 'output') {
        const example = page.examples.at(-1);
        if (example === undefined) throw new Error(`${path}:${i + 1}: output of what?`);
        example.output = text === '\n' ? '' : text;
      }
      i = end;
      continue;
    }
    const heading = /^#+ (.*)$/.exec(line)?.[1];
    if (heading !== undefined) {
      section = { heading, entries: new Set(), mentions: new Set() };
      page.sections.push(section);
      const signatures = heading.includes('`') ? codeSpans(heading) : separate(heading);
      for (const signature of signatures) addName(section.entries, signature);
    }
    for (const code of codeSpans(line)) section.mentions.add(code);
    const leading = /^(?:[-*|] +)?((?:`[^`]+`(?:, | · | and )?)+)/.exec(line)?.[1];
    for (const code of codeSpans(leading ?? '')) addName(section.entries, code);
  }
  return page;
}

const codeSpans = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((m) => m[1]!);

/** `f(a, b) -> c, g(d)` → `f`, `g` */
const separate = (signatures: string): string[] =>
  signatures.replace(/\([^)]*\)| -> .*/g, '').split(', ');

/** `string.rep(s, n[, sep])` → `string.rep` */
function addName(names: Set<string>, signature: string): void {
  const name = /^[A-Za-z_][\w.:-]*/.exec(signature)?.[0];
  if (name !== undefined) names.add(name);
}

/**
 * Is there an entry for this name? A member may be listed by its last part alone, anywhere below a
 * heading that names its owner: `EPERM` below `generic_error`.
 */
export function hasEntry(pages: readonly Page[], owner: string, member: string): boolean {
  const short = owner.slice(owner.lastIndexOf('.') + 1);
  const full =
    owner === '' ? [member] : [owner, short].flatMap((o) => [`${o}.${member}`, `${o}:${member}`]);
  return pages.some(({ sections }) =>
    sections.some(
      ({ heading, entries, mentions }) =>
        full.some((name) => entries.has(name)) ||
        (owner !== '' && heading.split(/[^\w.-]+/).includes(owner) && mentions.has(member)),
    ),
  );
}
