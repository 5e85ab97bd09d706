/** Turtle → triples: cases in the words of https://www.w3.org/TR/turtle/, and a fuzzer. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  parseTurtle,
  type Term,
  TurtleError,
} from '../../../src/modules/rdf_error_category/turtle.ts';

const XSD = 'http://www.w3.org/2001/XMLSchema#';
const RDF = 'http://www.w3.org/1999/02/22-rdf-syntax-ns#';

/** As N-Triples would have it, with short datatypes. */
function show(term: Term): string {
  switch (term.kind) {
    case 'iri':
      return `<${term.value}>`;
    case 'blank':
      return `_:${term.value.trim()}`;
    default: {
      const { value, language, datatype } = term;
      if (language !== '') return `${JSON.stringify(value)}@${language}`;
      return datatype === `${XSD}string`
        ? JSON.stringify(value)
        : `${value}^^${datatype.replace(XSD, '')}`;
    }
  }
}

const triples = (text: string): string[] =>
  parseTurtle(text, 'file:///dir/doc.ttl').map(
    ({ subject, predicate, object }) => `${show(subject)} <${predicate}> ${show(object)}`,
  );

function means(name: string, text: string, expected: string[]): void {
  test(name, () => assert.deepEqual(triples(text), expected));
}

means(
  'subjects, predicates, objects, and comments',
  '# a\n<a:s> <a:p> <a:o> . # b\n<a:s><a:p><a:o>.',
  ['<a:s> <a:p> <a:o>', '<a:s> <a:p> <a:o>'],
);
means('lists of predicates and objects; empty ones', '<a:s> <a:p> 1 , 2 ; ; <a:q> 3 ;; .', [
  '<a:s> <a:p> 1^^integer',
  '<a:s> <a:p> 2^^integer',
  '<a:s> <a:q> 3^^integer',
]);
means(
  'prefixes, in both spellings',
  '@prefix x: <a:b/> . PREFIX : <a:c#>\nprefix e.x-1: <a:d>\nx:y :z e.x-1: . :: :a.b x:1 .',
  ['<a:b/y> <a:c#z> <a:d>', '<a:c#:> <a:c#a.b> <a:b/1>'],
);
means('a prefix may change', '@prefix x: <a:1> . x:s x:p x:o . @prefix x: <a:2> . x:s x:p x:o .', [
  '<a:1s> <a:1p> <a:1o>',
  '<a:2s> <a:2p> <a:2o>',
]);
means('local names with escapes', '@prefix x: <a:> . x:a\\-b\\~ x:%20z x:%aF .', [
  '<a:a-b~> <a:%20z> <a:%aF>',
]);
means(
  'relative IRIs, and a base',
  '<> <#p> <x> . @base <http://h/a/b> . <c> <../d> <?q> . BASE <e/>\n<f> <//g/> </h> .',
  [
    '<file:///dir/doc.ttl> <file:///dir/doc.ttl#p> <file:///dir/x>',
    '<http://h/a/c> <http://h/d> <http://h/a/b?q>',
    '<http://h/a/e/f> <http://g/> <http://h/h>',
  ],
);
means('a base without a hierarchy', '@base <about:m> . <> <#p> <a:x> .', [
  '<about:m> <about:m#p> <a:x>',
]);
means('escapes in IRIs', '<a:\\u0041\\U0001F600> <a:é> <a:b> .', ['<a:A😀> <a:é> <a:b>']);
means('a', '<a:s> a <a:T> . <a:s> a<a:T> .', [
  `<a:s> <${RDF}type> <a:T>`,
  `<a:s> <${RDF}type> <a:T>`,
]);
means(
  'blank nodes',
  '_:x <a:p> _:y.z . [] <a:p> [ ] . [ <a:p> 1 ] . [ <a:q> [ <a:r> 2 ] ] <a:s> 3 .',
  [
    '_:x <a:p> _:y.z',
    '_:0 <a:p> _:1',
    '_:2 <a:p> 1^^integer',
    '_:4 <a:r> 2^^integer',
    '_:3 <a:q> _:4',
    '_:3 <a:s> 3^^integer',
  ],
);
means('collections', '<a:s> <a:p> ( 1 "x" ) , () .', [
  `_:0 <${RDF}first> "x"`,
  `_:0 <${RDF}rest> <${RDF}nil>`,
  `_:1 <${RDF}first> 1^^integer`,
  `_:1 <${RDF}rest> _:0`,
  '<a:s> <a:p> _:1',
  `<a:s> <a:p> <${RDF}nil>`,
]);
means(
  'strings in the four quotes',
  `<a:s> <a:p> "a'b" , 'a"b' , """a"b""c\n""" , '''''' , "" , ''.`,
  [
    `<a:s> <a:p> "a'b"`,
    '<a:s> <a:p> "a\\"b"',
    '<a:s> <a:p> "a\\"b\\"\\"c\\n"',
    '<a:s> <a:p> ""',
    '<a:s> <a:p> ""',
    '<a:s> <a:p> ""',
  ],
);
means('escapes in strings', String.raw`<a:s> <a:p> "\t\b\n\r\f\"\'\\\u00e9\U0001F600" .`, [
  `<a:s> <a:p> ${JSON.stringify('\t\b\n\r\f"\'\\é😀')}`,
]);
means(
  'languages and datatypes',
  '@prefix x: <a:> . <a:s> <a:p> "x"@en-GB , "5"^^x:t , "6"^^<a:u> .',
  ['<a:s> <a:p> "x"@en-gb', '<a:s> <a:p> 5^^a:t', '<a:s> <a:p> 6^^a:u'],
);
means(
  'numbers and booleans',
  '<a:s> <a:p> 1, -1, +01, 1.5, -.5, 1e3, 1.e3, .5E-3, true, false.\n<a:s> <a:p> 7.',
  [
    ...['1', '-1', '+01'].map((n) => `<a:s> <a:p> ${n}^^integer`),
    ...['1.5', '-.5'].map((n) => `<a:s> <a:p> ${n}^^decimal`),
    ...['1e3', '1.e3', '.5E-3'].map((n) => `<a:s> <a:p> ${n}^^double`),
    '<a:s> <a:p> true^^boolean',
    '<a:s> <a:p> false^^boolean',
    '<a:s> <a:p> 7^^integer',
  ],
);
means(
  'names that begin like keywords',
  '@prefix base: <a:> . @prefix true: <b:> . base:x base:prefix true:false .',
  ['<a:x> <a:prefix> <b:false>'],
);

test('mistakes are found, with their line', () => {
  for (const [text, message, line] of [
    ['\n\n<a:s> <a:p>', 'object expected', 3],
    ['<a:s> <a:p> <a:o>', "'.' expected", 1],
    ['<a:s> "p" <a:o> .', 'predicate expected', 1],
    ['\n5 <a:p> <a:o> .', 'subject expected', 2],
    ['<a:s> a x:y .', "unknown prefix 'x:'", 1],
    ['<a:s> <a:p> "a\nb" .', 'unfinished string', 1],
    ['<a:s> <a:p> """a\nb" .', 'unfinished string', 2],
    ['<a:s> <a:p> "\\x" .', 'invalid escape', 1],
    ['<a:s> <a:p> "\\u00g0" .', 'invalid escape', 1],
    ['<a:s> <a:p> "\\U00110000" .', 'no such character', 1],
    ['@prefix x <a:> .', 'prefix expected', 1],
    ['@prefix x: <a:>', "'.' expected", 1],
    ['PREFIX x: <a:> .', 'subject expected', 1],
    ['@base <about:x> . <y> <a:p> <a:o> .', "relative IRI 'y' without a base", 1],
    [`<a:s> <a:p> ${'['.repeat(10_000)}`, 'predicate expected', 1],
    [`<a:s> <a:p> ${'[<a:p>'.repeat(10_000)}`, 'too many nested nodes', 1],
    [`<a:s> <a:p> ${'('.repeat(10_000)}`, 'too many nested nodes', 1],
  ] as const) {
    assert.throws(
      () => triples(text),
      (e) => {
        assert.ok(e instanceof TurtleError);
        assert.deepEqual([e.message, e.line], [message, line], text.slice(0, 50));
        return true;
      },
    );
  }
});

const DOCUMENT = `@prefix x: <a:> . @base <http://h/> . # comment
<s> a x:T , [ x:p "one"@en , 'two' ; x:q ( 1 -2.5 3e4 true ) ] ; x:r """long "text" """ .
_:b <p> _:c , "5"^^x:int , '''\\u0041''' . [ x:p [] ] x:q <#f> .
`;

test('any text gives triples or a TurtleError, in linear time', () => {
  let seed = 123456789;
  const random = (n: number): number => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return (seed >>> 0) % n;
  };
  const words = [
    '<a:s>',
    '<a:p>',
    '<',
    '>',
    'a',
    '.',
    ';',
    ',',
    '[',
    ']',
    '(',
    ')',
    '"',
    "'",
    '"""',
    "'''",
    '"x"',
    '@en',
    '^^',
    '@prefix',
    '@base',
    'PREFIX',
    'x:',
    'x:y',
    ':',
    '_:b',
    '1',
    '-1.5e3',
    'true',
    '\\',
    '\\u0041',
    '#',
    '\n',
    ' ',
    '%41',
    'é',
    '\u{1F600}',
    '\ud800',
    '\0',
    '.',
    '<a:o>',
  ];
  let good = 0;
  for (let i = 0; i < 20_000; i++) {
    let text = DOCUMENT;
    for (let k = random(4); k > 0; k--) {
      const at = random(text.length);
      text = text.slice(0, at) + words[random(words.length)] + text.slice(at + random(5));
    }
    try {
      if (triples(text).length > 0) good++;
    } catch (e) {
      assert.ok(e instanceof TurtleError, `${JSON.stringify(text)}: ${e}`);
    }
  }
  assert.ok(good > 2000, String(good));
  // A quadratic one of these would take minutes.
  const start = process.cpuUsage();
  for (const unit of ['x:a.', 'a', '.', '"a', '# ', '_:a.', '1', '%41', '@a-b', '<a:', '\\"']) {
    try {
      triples(`<a:s> <a:p> ${unit.repeat(100_000)}`);
    } catch (e) {
      assert.ok(e instanceof TurtleError, `${unit}: ${e}`);
    }
  }
  assert.ok(process.cpuUsage(start).user < 15e6);
});
