/** Error categories that programs bring along: modules written as `.ttl` files. */
import { isUtf8 } from 'node:buffer';
import {
  badIndex,
  type CoreName,
  coreError,
  ErrorCategory,
  errorObject,
  genericCategory,
} from '../runtime/error-code.ts';
import { type LuaValue, Userdata } from '../runtime/value.ts';
import { errnoNumber } from '../sys/errno.ts';
import { luaType } from './define.ts';
import {
  parseTurtle,
  RDF_TYPE,
  type Term,
  type Triple,
  TurtleError,
  XSD_INTEGER,
  XSD_STRING,
} from './rdf_error_category/turtle.ts';

const MODULE = 'about:emilua-module';
const CATEGORY = 'https://schema.emilua.org/error_category/0/';

// ── the module as Lua sees it ──────────────────────────────────────────────────────────────────────

/** What `require` returns: `m.ALIAS` and `m[code]` make errors. */
class RdfErrorCategoryModule extends Userdata {
  readonly category: ErrorCategory;
  readonly codes: ReadonlyMap<string, number>;
  constructor(category: ErrorCategory, codes: ReadonlyMap<string, number>) {
    super();
    this.category = category;
    this.codes = codes;
  }
}

luaType('rdf_error_category_module', RdfErrorCategoryModule, {
  index(self, key) {
    const code =
      typeof key === 'number'
        ? Math.trunc(key)
        : typeof key === 'string'
          ? self.codes.get(key)
          : undefined;
    if (code === undefined) throw badIndex(key);
    return errorObject(self.category, code);
  },
  tostring: (self) => self.category.name,
});

// ── from triples ───────────────────────────────────────────────────────────────────────────────────

/** Why a file makes no module: the name of the core error. */
class Rejected {
  readonly reason: CoreName;
  constructor(reason: CoreName) {
    this.reason = reason;
  }
}

interface ErrorEntry {
  readonly code: number;
  /** Texts are bytes. */
  readonly aliases: readonly string[];
  readonly message: string;
  /** Language tag (`pt_br`) → message. */
  readonly translations: ReadonlyMap<string, string>;
  /** The errno that it stands for. */
  readonly generic: number | undefined;
}

const toBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

function reject(): never {
  throw new Rejected('bad_rdf_error_category');
}

type Literal = Extract<Term, { kind: 'literal' }>;

/** The text of a plain literal. */
function plain(term: Term): string {
  return term.kind === 'literal' && term.datatype === XSD_STRING ? toBytes(term.value) : reject();
}

function readEntries(triples: readonly Triple[]): ErrorEntry[] {
  const bySubject = new Map<string, Triple[]>();
  const keyOf = (term: Term): string => `${term.kind} ${term.value}`;
  for (const triple of triples) {
    const key = keyOf(triple.subject);
    const known = bySubject.get(key);
    if (known === undefined) bySubject.set(key, [triple]);
    else known.push(triple);
  }
  const objects = (subject: Term, predicate: string): Term[] =>
    (bySubject.get(keyOf(subject)) ?? [])
      .filter((t) => t.predicate === predicate)
      .map((t) => t.object);

  const module: Term = { kind: 'iri', value: MODULE };
  const [type, ...others] = objects(module, RDF_TYPE);
  if (type === undefined || others.length > 0) throw new Rejected('bad_rdf_module');
  if (type.kind !== 'iri' || type.value !== CATEGORY) reject();
  return objects(module, `${CATEGORY}#error`).map((node) => {
    if (node.kind === 'literal') reject();
    return readEntry((property) => objects(node, `${CATEGORY}#${property}`));
  });
}

function readEntry(values: (property: string) => Term[]): ErrorEntry {
  const [code, ...moreCodes] = values('code');
  if (code === undefined || moreCodes.length > 0) reject();
  const [generic, ...moreGenerics] = values('generic_error');
  if (moreGenerics.length > 0) reject();
  const messages = values('message');
  if (!messages.every((m): m is Literal => m.kind === 'literal')) reject();
  const translations = new Map<string, string>();
  for (const { language, value } of messages.filter((m) => m.language !== '')) {
    const tag = language.replaceAll('-', '_');
    if (translations.has(tag)) reject();
    translations.set(tag, toBytes(value));
  }
  const [message, ...moreMessages] = messages.filter((m) => m.language === '');
  if (message === undefined || moreMessages.length > 0) reject();
  return {
    code: readCode(code),
    aliases: values('alias').map(plain),
    message: plain(message),
    translations,
    generic: generic === undefined ? undefined : (errnoNumber(plain(generic)) ?? reject()),
  };
}

function readCode(term: Term): number {
  if (term.kind !== 'literal' || term.datatype !== XSD_INTEGER) reject();
  const code = /^[+-]?\d+$/.test(term.value) ? Number(term.value) : reject();
  return code === (code | 0) ? code : reject();
}

// ── the category ───────────────────────────────────────────────────────────────────────────────────

/** As setlocale(3) finds the language of messages: `pt_BR.UTF-8`. */
function localeName(): string {
  return process.env.LC_ALL || process.env.LC_MESSAGES || process.env.LANG || 'C';
}

/** In the language of the process, where there is such a text: the longest tag that its locale begins with. */
function messageOf(entry: ErrorEntry): string {
  if (entry.translations.size === 0) return entry.message;
  const locale = localeName().toLowerCase();
  let best = '';
  for (const tag of entry.translations.keys()) {
    const fits = locale.startsWith(tag) && !/[a-z0-9]/.test(locale[tag.length] ?? '');
    if (fits && tag.length > best.length) best = tag;
  }
  return entry.translations.get(best) ?? entry.message;
}

/** RFC 8089. @param file  bytes */
function fileUri(file: string): string {
  const escaped = file.replace(/[^\w\-.~!$&'()*+,;=:@/]/g, (c) => {
    return `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
  return `file://${escaped}`;
}

/**
 * @param text  of the file, as bytes
 * @param file  its absolute path
 * @param id    as the program requires it
 * @throws LuaError  bad_rdf, bad_rdf_module, bad_rdf_error_category
 */
export function loadTurtle(text: string, file: string, id: string): LuaValue {
  const uri = fileUri(file);
  let entries: ErrorEntry[];
  try {
    entries = readEntries(triplesOf(text, uri));
    checkUnique(entries.flatMap((entry) => entry.aliases));
    checkUnique(entries.map((entry) => entry.code));
  } catch (thrown) {
    throw thrown instanceof Rejected ? coreError(thrown.reason, { module: id }) : thrown;
  }
  const byCode = new Map(entries.map((entry) => [entry.code, entry]));
  const category = new ErrorCategory(
    uri,
    (code) => {
      const entry = byCode.get(code);
      return entry === undefined ? 'Unknown' : messageOf(entry);
    },
    (code): [ErrorCategory, number] => {
      const generic = byCode.get(code)?.generic;
      return generic === undefined ? [category, code] : [genericCategory, generic];
    },
  );
  const codes = new Map(
    entries.flatMap(({ code, aliases }) => aliases.map((alias) => [alias, code])),
  );
  return new RdfErrorCategoryModule(category, codes);
}

function triplesOf(text: string, uri: string): Triple[] {
  const bytes = Buffer.from(text, 'latin1');
  if (!isUtf8(bytes)) throw new Rejected('bad_rdf');
  let triples: Triple[];
  try {
    triples = parseTurtle(bytes.toString('utf8').replace(/^\uFEFF/, ''), uri);
  } catch (thrown) {
    throw thrown instanceof TurtleError ? new Rejected('bad_rdf') : thrown;
  }
  if (triples.length === 0) throw new Rejected('bad_rdf');
  return triples;
}

function checkUnique(items: readonly unknown[]): void {
  if (new Set(items).size !== items.length) reject();
}
