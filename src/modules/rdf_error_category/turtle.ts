/**
 * RDF 1.1 Turtle, the whole of it: text → triples. One method a production, named as in the grammar
 * of https://www.w3.org/TR/turtle/, which says what each of them accepts.
 */

export type Term =
  | { readonly kind: 'iri'; readonly value: string }
  | { readonly kind: 'blank'; readonly value: string }
  | {
      readonly kind: 'literal';
      readonly value: string;
      /** In lower case; '' for none. */
      readonly language: string;
      readonly datatype: string;
    };

export interface Triple {
  readonly subject: Term;
  readonly predicate: string;
  readonly object: Term;
}

export class TurtleError {
  readonly message: string;
  readonly line: number;
  constructor(message: string, line: number) {
    this.message = message;
    this.line = line;
  }
}

const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';
const XSD = 'http://www.w3.org/2001/XMLSchema#';
export const RDF_TYPE = `${RDF}type`;
export const XSD_INTEGER = `${XSD}integer`;
export const XSD_STRING = `${XSD}string`;
const LANG_STRING = `${RDF}langString`;

/** Brackets and parentheses within each other. */
const MAX_DEPTH = 200;

const BASE_CHARS =
  'A-Za-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}' +
  '\\u{200C}\\u{200D}\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}' +
  '\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}';
const CHARS = `${BASE_CHARS}_0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}\\-`;
const ESCAPED = "%[0-9A-Fa-f]{2}|\\\\[_~.\\-!$&'()*+,;=/?#@%]";

/** Made when the first file is read, not when the program starts. */
function makeTokens() {
  const token = (source: string): RegExp => new RegExp(source, 'uy');
  return {
    space: token('(?:[ \\t\\r\\n]|#[^\\r\\n]*)*'),
    iri: token('<((?:[^\\u0000-\\u0020<>"{}|^`\\\\]|\\\\u[0-9A-Fa-f]{4}|\\\\U[0-9A-Fa-f]{8})*)>'),
    prefix: token(`(?:[${BASE_CHARS}](?:[${CHARS}.]*[${CHARS}])?)?:`),
    local: token(
      `(?:[${BASE_CHARS}_:0-9]|${ESCAPED})(?:(?:[${CHARS}.:]|${ESCAPED})*(?:[${CHARS}:]|${ESCAPED}))?`,
    ),
    blank: token(`_:([${BASE_CHARS}_0-9](?:[${CHARS}.]*[${CHARS}])?)`),
    language: token('@([A-Za-z]+(?:-[A-Za-z0-9]+)*)'),
    number: token(
      '[+-]?(?:[0-9]+\\.[0-9]*[eE][+-]?[0-9]+|\\.?[0-9]+[eE][+-]?[0-9]+|[0-9]*\\.[0-9]+|[0-9]+)',
    ),
    word: token('[A-Za-z]+'),
  };
}
let tokens: ReturnType<typeof makeTokens> | undefined;
type TokenName = keyof ReturnType<typeof makeTokens>;

const ESCAPES = new Map(
  Object.entries({ t: '\t', b: '\b', n: '\n', r: '\r', f: '\f', '"': '"', "'": "'", '\\': '\\' }),
);

/**
 * @param base  the IRI of the document
 * @throws TurtleError
 */
export function parseTurtle(text: string, base: string): Triple[] {
  return new Parser(text, base).document();
}

class Parser {
  private readonly text: string;
  private base: string;
  private readonly prefixes = new Map<string, string>();
  private readonly triples: Triple[] = [];
  private at = 0;
  private depth = 0;
  private blanks = 0;
  private readonly token: NonNullable<typeof tokens>;

  constructor(text: string, base: string) {
    this.text = text;
    this.base = base;
    tokens ??= makeTokens();
    this.token = tokens;
  }

  document(): Triple[] {
    this.skip();
    while (this.at < this.text.length) this.statement();
    return this.triples;
  }

  // ── reading ──────────────────────────────────────────────────────────────────────────────────────

  private fail(message: string): TurtleError {
    return new TurtleError(message, this.text.slice(0, this.at).split('\n').length);
  }

  private match(name: TokenName): RegExpExecArray | null {
    const pattern = this.token[name];
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match !== null) this.at += match[0].length;
    return match;
  }

  private skip(): void {
    this.match('space');
  }

  /** This text, and the space behind it? */
  private accept(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    this.skip();
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw this.fail(`'${text}' expected`);
  }

  /** A keyword, in any case: not the start of a longer word, or of a prefix. */
  private keyword(word: string): boolean {
    const start = this.at;
    const found = this.match('word')?.[0];
    if (found?.toLowerCase() === word && !/[\w:.-]/.test(this.text[this.at] ?? '')) {
      this.skip();
      return true;
    }
    this.at = start;
    return false;
  }

  // ── statements ───────────────────────────────────────────────────────────────────────────────────

  private statement(): void {
    if (this.accept('@prefix')) {
      this.prefixId();
      this.expect('.');
    } else if (this.accept('@base')) {
      this.base = this.iriRef();
      this.expect('.');
    } else if (this.keyword('prefix')) this.prefixId();
    else if (this.keyword('base')) this.base = this.iriRef();
    else {
      if (this.text[this.at] === '[') {
        const subject = this.blankNodePropertyList();
        if (this.text[this.at] !== '.') this.predicateObjectList(subject);
      } else this.predicateObjectList(this.subject());
      this.expect('.');
    }
  }

  private prefixId(): void {
    const name = this.match('prefix')?.[0];
    if (name === undefined) throw this.fail('prefix expected');
    this.skip();
    this.prefixes.set(name, this.iriRef());
  }

  private subject(): Term {
    const term = this.iri() ?? this.blankNode() ?? this.collection();
    if (term === undefined) throw this.fail('subject expected');
    return term;
  }

  private predicateObjectList(subject: Term): void {
    this.verbAndObjects(subject);
    while (this.accept(';')) {
      const c = this.text[this.at];
      if (c !== ';' && c !== '.' && c !== ']') this.verbAndObjects(subject);
    }
  }

  private verbAndObjects(subject: Term): void {
    const predicate = this.verb();
    do {
      this.triples.push({ subject, predicate, object: this.object() });
    } while (this.accept(','));
  }

  private verb(): string {
    if (this.text[this.at] === 'a' && /[\s<"'[(_#]/.test(this.text[this.at + 1] ?? '')) {
      this.at++;
      this.skip();
      return RDF_TYPE;
    }
    const term = this.iri();
    if (term === undefined) throw this.fail('predicate expected');
    return term.value;
  }

  private object(): Term {
    const c = this.text[this.at];
    const term =
      c === '['
        ? this.blankNodePropertyList()
        : c === '"' || c === "'"
          ? this.rdfLiteral()
          : (this.numericLiteral() ??
            this.booleanLiteral() ??
            this.iri() ??
            this.blankNode() ??
            this.collection());
    if (term === undefined) throw this.fail('object expected');
    return term;
  }

  // ── nodes ────────────────────────────────────────────────────────────────────────────────────────

  private newBlank(): Term {
    // No label of the document has a space.
    return { kind: 'blank', value: ` ${this.blanks++}` };
  }

  private blankNode(): Term | undefined {
    const label = this.match('blank')?.[1];
    if (label === undefined) return undefined;
    this.skip();
    return { kind: 'blank', value: label };
  }

  private nested<T>(read: () => T): T {
    if (this.depth === MAX_DEPTH) throw this.fail('too many nested nodes');
    this.depth++;
    const result = read();
    this.depth--;
    return result;
  }

  private blankNodePropertyList(): Term {
    this.expect('[');
    const node = this.newBlank();
    if (!this.accept(']')) {
      this.nested(() => this.predicateObjectList(node));
      this.expect(']');
    }
    return node;
  }

  private collection(): Term | undefined {
    if (!this.accept('(')) return undefined;
    const nil: Term = { kind: 'iri', value: `${RDF}nil` };
    const items: Term[] = [];
    while (!this.accept(')')) items.push(this.nested(() => this.object()));
    return items.reduceRight<Term>((rest, first) => {
      const node = this.newBlank();
      this.triples.push({ subject: node, predicate: `${RDF}first`, object: first });
      this.triples.push({ subject: node, predicate: `${RDF}rest`, object: rest });
      return node;
    }, nil);
  }

  private iri(): Term | undefined {
    if (this.text[this.at] === '<') return { kind: 'iri', value: this.iriRef() };
    const prefix = this.match('prefix')?.[0];
    if (prefix === undefined) return undefined;
    const namespace = this.prefixes.get(prefix);
    if (namespace === undefined) throw this.fail(`unknown prefix '${prefix}'`);
    const local = this.match('local')?.[0] ?? '';
    this.skip();
    return { kind: 'iri', value: namespace + local.replace(/\\(.)/g, '$1') };
  }

  private iriRef(): string {
    const reference = this.match('iri')?.[1];
    if (reference === undefined) throw this.fail('IRI expected');
    const iri = this.absolute(
      reference.replace(/\\[uU]([0-9A-Fa-f]+)/g, (_, hex) => this.codePoint(hex)),
    );
    this.skip();
    return iri;
  }

  private codePoint(hex: string): string {
    const code = Number.parseInt(hex, 16);
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw this.fail('no such character');
    return String.fromCodePoint(code);
  }

  private absolute(reference: string): string {
    if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(reference)) return reference;
    const base = this.base.replace(/#.*$/s, '');
    if (reference === '' || reference.startsWith('#')) return base + reference;
    if (!URL.canParse(reference, base))
      throw this.fail(`relative IRI '${reference}' without a base`);
    return new URL(reference, base).href;
  }

  // ── literals ─────────────────────────────────────────────────────────────────────────────────────

  private rdfLiteral(): Term {
    const value = this.string();
    const language = this.match('language')?.[1];
    if (language !== undefined) {
      this.skip();
      return { kind: 'literal', value, language: language.toLowerCase(), datatype: LANG_STRING };
    }
    this.skip();
    let datatype = XSD_STRING;
    if (this.accept('^^')) {
      const type = this.iri();
      if (type === undefined) throw this.fail('datatype expected');
      datatype = type.value;
    }
    return { kind: 'literal', value, language: '', datatype };
  }

  /** The four forms: one or three of either quote. */
  private string(): string {
    const { text } = this;
    const quote = text[this.at]!;
    const isLong = text.startsWith(quote.repeat(3), this.at);
    const end = isLong ? quote.repeat(3) : quote;
    this.at += end.length;
    let value = '';
    for (;;) {
      const c = text[this.at];
      if (c === undefined || (!isLong && (c === '\n' || c === '\r')))
        throw this.fail('unfinished string');
      if (c === quote && text.startsWith(end, this.at)) {
        this.at += end.length;
        return value;
      }
      this.at++;
      value += c === '\\' ? this.escape() : c;
    }
  }

  private escape(): string {
    const c = this.text[this.at++] ?? '';
    const size = c === 'u' ? 4 : c === 'U' ? 8 : 0;
    if (size === 0) {
      const value = ESCAPES.get(c);
      if (value === undefined) throw this.fail('invalid escape');
      return value;
    }
    const hex = this.text.slice(this.at, this.at + size);
    if (hex.length !== size || !/^[0-9A-Fa-f]*$/.test(hex)) throw this.fail('invalid escape');
    this.at += size;
    return this.codePoint(hex);
  }

  private numericLiteral(): Term | undefined {
    const value = this.match('number')?.[0];
    if (value === undefined) return undefined;
    this.skip();
    const type = /[eE]/.test(value) ? 'double' : value.includes('.') ? 'decimal' : 'integer';
    return { kind: 'literal', value, language: '', datatype: XSD + type };
  }

  private booleanLiteral(): Term | undefined {
    const start = this.at;
    const value = this.match('word')?.[0];
    if ((value === 'true' || value === 'false') && !/[\w:-]/.test(this.text[this.at] ?? '')) {
      this.skip();
      return { kind: 'literal', value, language: '', datatype: `${XSD}boolean` };
    }
    this.at = start;
    return undefined;
  }
}
