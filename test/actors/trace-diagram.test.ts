/** `perilune trace`: what is drawn, and what is said of files that are no traces. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { drawFile, type Selection } from '../../src/actors/trace-diagram.ts';
import { parseArguments } from '../../src/cli/arguments.ts';
import { runCommand } from '../support/spec.ts';

const ALL: Selection = { from: 0, to: Infinity, actors: [], mostEvents: 200, mostActors: 20 };
const START = { t: 0, event: 'start', version: 1, pid: 7, program: 'main.lua', time: 'now' };

function withTrace<T>(content: string | Buffer, use: (file: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'perilune-diagram-'));
  const file = join(folder, 'trace');
  writeFileSync(file, content);
  const remove = (): void => rmSync(folder, { recursive: true });
  let result: T;
  try {
    result = use(file);
  } catch (thrown) {
    remove();
    throw thrown;
  }
  if (result instanceof Promise) return result.finally(remove) as T;
  remove();
  return result;
}

const linesOf = (...events: object[]): string =>
  [START, ...events].map((event) => `${JSON.stringify(event)}\n`).join('');

function draw(events: readonly object[], selection: Partial<Selection> = {}): string {
  return withTrace(linesOf(...events), (file) => drawFile(file, { ...ALL, ...selection }).svg);
}

/** Fails where it is no well-formed XML. @returns names of elements */
function elementsOf(svg: string): string[] {
  const open: string[] = [];
  const names: string[] = [];
  assert.doesNotMatch(svg, /[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]/);
  assert.ok(svg.isWellFormed());
  const rest = svg.replace(
    /<(\/?)([a-zA-Z]+)((?: [a-zA-Z-0-9]+="[^"<]*")*)(\/?)>/g,
    (_, close, name, _attributes, empty) => {
      if (close === '/') assert.equal(open.pop(), name);
      else {
        names.push(name);
        if (empty !== '/') open.push(name);
      }
      return '';
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /<|&(?!#\d+;)/);
  return names;
}

const TALK = [
  { t: 0.001, event: 'spawn', actor: 'main#1', module: 'main.lua', home: 'same thread' },
  {
    t: 0.002,
    event: 'spawn',
    actor: 'w#2',
    by: 'main#1',
    module: 'w.lua',
    home: 'thread',
    thread: 1,
  },
  { t: 0.003, event: 'send', from: 'main#1', to: 'w#2', id: 1, request: 1, message: '"question"' },
  { t: 0.004, event: 'receive', actor: 'w#2', from: 'main#1', id: 1 },
  { t: 0.005, event: 'send', from: 'w#2', to: 'main#1', id: 2, answers: 1, message: '"answer"' },
  { t: 0.006, event: 'receive', actor: 'main#1', from: 'w#2', id: 2 },
  { t: 0.007, event: 'send', from: 'main#1', to: 'w#2', id: 3, message: '"lost"' },
  { t: 0.008, event: 'exit', actor: 'w#2', how: 'error', reason: 'w.lua:3: it broke', code: 1 },
  { t: 0.009, event: 'drop', from: 'main#1', to: 'w#2', id: 3, reason: 'the receiver is closed' },
  { t: 0.01, event: 'exit', actor: 'main#1', how: 'ended', code: 0 },
  { t: 0.011, event: 'end', code: 0 },
];

const countOf = (text: string, part: string): number => text.split(part).length - 1;

test('actors, arrows from send to receive, deaths with their reasons', () => {
  const svg = draw(TALK);
  elementsOf(svg);
  assert.equal(countOf(svg, 'class="head"'), 2);
  for (const text of ['main#1', 'w#2', 'thread 1', 'error: w.lua:3: it broke', 'exit code 0'])
    assert.ok(svg.includes(`>${text.replaceAll("'", '&#39;')}`) || svg.includes(text), text);
  assert.equal(countOf(svg, 'class="sent"'), 2);
  assert.equal(countOf(svg, 'class="dropped"'), 1);
  assert.equal(countOf(svg, 'class="spawn"'), 1);
  assert.equal(countOf(svg, 'class="bad"'), 1);
  // The arrow goes down from where it was sent to where it was received.
  const [, x1, y1, x2, y2] = /class="sent" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"/.exec(svg)!;
  assert.ok(Number(x2) > Number(x1) && Number(y2) > Number(y1));
  assert.doesNotMatch(svg, /Left out/);
});

test('text from the trace never becomes part of the picture', () => {
  const evil = [
    '</text><script>alert(1)</script>',
    '"\' onload="alert(1)',
    '&lt;&#60;]]>--><!--',
    '\x00\x01\x1b[31m\x7f\x85\ufffe\uffff',
    '\ud800 alone \udc00',
    '\u202eright to left',
    'x'.repeat(300),
    '\u{1f600}'.repeat(149),
  ];
  for (const text of evil) {
    const svg = draw([
      { t: 0, event: 'spawn', actor: text, module: text, home: text, by: text },
      { t: 1, event: 'send', from: text, to: 'b', id: 1, message: text, type: text },
      { t: 2, event: 'receive', actor: 'b', from: text, id: 1 },
      { t: 3, event: 'kill', actor: text, to: 'b', signal: text },
      { t: 4, event: text, actor: text },
      { t: 5, event: 'unanswered', actor: text, reason: text },
      { t: 6, event: 'exit', actor: text, how: text, reason: text },
    ]);
    const names = new Set(elementsOf(svg));
    const known = 'svg title style defs marker path rect text line g circle'.split(' ');
    assert.deepEqual(
      [...names].filter((name) => !known.includes(name)),
      [],
    );
    assert.doesNotMatch(svg, /<[^>]* on\w+=/);
    assert.ok(svg.length < 60_000, `${svg.length}`);
  }
  elementsOf(
    withTrace(linesOf().replace('main.lua', '</title><script>'), (file) => drawFile(file, ALL).svg),
  );
});

const LETTERS = [
  { t: 0.001, event: 'spawn', actor: 'main#1' },
  { t: 0.002, event: 'spawn', actor: 'p#2', by: 'main#1', home: 'process', pid: 8 },
  { t: 0.003, event: 'send', from: 'main#1', to: 'p#2', id: 1, via: 77, message: '"a"' },
  { t: 0.006, event: 'send', from: 'main#1', to: 'p#2', id: 2, via: 77, message: '"b"' },
  { t: 0.004, event: 'receive', actor: 'p#2', from: '?', via: 77, message: '"a"', said_by: 'p#2' },
  { t: 0.005, event: 'send', from: 'p#2', to: '?', id: 1, via: 78, message: '"c"', said_by: 'p#2' },
  { t: 0.007, event: 'receive', actor: 'p#2', from: '?', via: 77, message: '"b"', said_by: 'p#2' },
  { t: 0.008, event: 'receive', actor: 'main#1', from: 'p#2', via: 78, message: '"c"' },
  { t: 0.009, event: 'exit', actor: 'p#2', how: 'error', reason: 'it broke', said_by: 'p#2' },
  { t: 0.01, event: 'exit', actor: 'p#2', how: 'error', reason: 'exit status 1', code: 1 },
];

test('messages of processes: what both sides say of a socket is one arrow', () => {
  const svg = draw(LETTERS);
  elementsOf(svg);
  assert.equal(countOf(svg, 'class="sent"') + countOf(svg, 'class="sent claimed"'), 3);
  assert.equal(countOf(svg, 'class="head"'), 2); // nobody is called ?
  assert.equal(countOf(svg, 'class="bad"'), 1); // the end that was seen
  assert.match(svg, /error: it broke/);
  assert.match(svg, /as p#2 says/);
});

test('messages of processes: nothing is paired where two say that they have sent, or lines are missing', () => {
  const other = { ...LETTERS[5]!, t: 0.0045, from: 'q#3', said_by: 'q#3' };
  const open = (svg: string): number => countOf(svg, 'class="open') + countOf(svg, 'class="unseen');
  assert.equal(open(draw([...LETTERS.slice(0, 5), other, ...LETTERS.slice(5)])), 3);
  const missing = { t: 0.0035, event: 'left_out', actor: 'p#2', count: 3 };
  const svg = draw([...LETTERS, missing]);
  // What one process says spoils nothing of another's.
  assert.equal(open(draw([...LETTERS, { ...missing, actor: 'q#3' }])), 0);
  assert.equal(open(svg), 6);
  assert.match(svg, /3 events of it are not here/);
  elementsOf(svg);
});

test('a name of the language JavaScript is an event or an actor like any other', () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const svg = draw([
      { t: 0, event: 'spawn', actor: name },
      { t: 1, event: name, actor: name },
    ]);
    elementsOf(svg);
    assert.ok(svg.includes(`>${name}<`));
  }
  withTrace(`${linesOf()}{"t":1,"event":"exit","__proto__":{"actor":"a","how":"b"}}\n`, (file) =>
    assert.throws(() => drawFile(file, ALL), /line 2: its event needs a field "actor"/),
  );
});

test('a limit on events and actors is said in the picture', () => {
  const events: object[] = [{ t: 0, event: 'spawn', actor: 'main#1' }];
  for (let i = 2; i <= 1000; i++)
    events.push({ t: i, event: 'spawn', actor: `w#${i}`, by: 'main#1' });
  for (let i = 1; i <= 1000; i++) {
    events.push({ t: 1000 + i, event: 'send', from: 'main#1', to: 'w#2', id: i, message: `m${i}` });
    events.push({ t: 1000.5 + i, event: 'receive', actor: 'w#2', from: 'main#1', id: i });
  }
  const svg = draw(events);
  elementsOf(svg);
  assert.equal(countOf(svg, 'class="head"'), 20);
  assert.match(svg, /981 others/);
  assert.match(svg, /981 × spawn/);
  assert.match(
    svg,
    /Left out: 1,[0-9]{3} events after [\d.]+ s \(--most, --from\); 981 actors are in one column/,
  );
  // 1 + 18 + 1 rows for the actors, and the rest for messages
  assert.equal(countOf(svg, 'class="sent"'), 90);
  assert.ok(svg.length < 200_000);
});

test('--from, --to, --actor, --most', () => {
  const between = draw(TALK, { from: 0.0045, to: 0.0065 });
  assert.equal(countOf(between, 'class="sent"'), 1);
  assert.match(between, /Left out: 9 that were not asked for/);
  const one = draw([...TALK, { t: 1, event: 'spawn', actor: 'x#3', by: 'main#1' }], {
    actors: ['w#2'],
  });
  assert.doesNotMatch(one, /x#3/);
  assert.match(one, /w#2/);
  assert.match(draw(TALK, { mostEvents: 3 }), /Left out: 8 events after 0\.003000 s/);
  withTrace(linesOf(...TALK), (file) =>
    assert.deepEqual(drawFile(file, { ...ALL, actors: ['nobody#9'] }).notes, [
      'no actor nobody#9 was made',
      'left out: 10 that were not asked for',
    ]),
  );
  elementsOf(draw(TALK, { from: 100 }));
  elementsOf(draw(TALK, { mostActors: 1, mostEvents: 1 }));
});

test('files that are no traces: the line, and what is wrong with it', () => {
  const start = linesOf();
  for (const [content, message] of [
    ['', /^line 1: the file is empty$/],
    ['\n', /^line 1: this is no trace of Perilune \(it is no JSON\)$/],
    ['<svg/>\n', /^line 1: this is no trace of Perilune/],
    ['{"t":0,"event":"send","from":"a","to":"b"}\n', /^line 1: .*its first line is another/],
    [
      start.replace('"version":1', '"version":2'),
      /^line 1: version 2 of traces is not known here$/,
    ],
    [`${start}\n${start}`, /^line 2: it is no JSON$/],
    [`${start}[]\n`, /^line 2: it is no JSON object$/],
    [`${start}null\n`, /^line 2: it is no JSON object$/],
    [`${start}{"event":"end"}\n`, /^line 2: it has no field "t"$/],
    [`${start}{"t":1}\n`, /^line 2: it has no field "event"$/],
    [`${start}{"t":"1","event":"end"}\n`, /^line 2: its field "t" is no number$/],
    [`${start}{"t":1e999,"event":"end"}\n`, /^line 2: its field "t" is no number$/],
    [`${start}{"t":-1,"event":"end"}\n`, /^line 2: its time is out of range$/],
    [`${start}{"t":1e300,"event":"end"}\n`, /^line 2: its time is out of range$/],
    [`${start}{"t":1,"event":"send","from":"a"}\n`, /^line 2: its event needs a field "to"$/],
    [
      `${start}{"t":1,"event":"exit","actor":{},"how":""}\n`,
      /^line 2: its field "actor" is no string$/,
    ],
    [
      `${start}{"t":1,"event":"e","actor":"${'x'.repeat(301)}"}\n`,
      /^line 2: its field "actor" is too long$/,
    ],
    [`${start}{"t":1,"event":"${'x'.repeat(5000)}"}\n`, /^line 2: its field "event" is too long$/],
    [`${start}${'['.repeat(60_000)}\n`, /^line 2: it is no JSON$/],
    [`${start}${' '.repeat(70_000)}\n`, /^line 2: it is longer than any of a trace$/],
    ['x'.repeat(10_000_000), /^line 1: it is longer than any of a trace$/],
    [
      Buffer.concat([
        Buffer.from(`${start}{"t":1,"event":"`),
        Buffer.from([0xff, 0xfe]),
        Buffer.from('"}\n'),
      ]),
      /^line 2: it is no UTF-8$/,
    ],
    [Buffer.alloc(5000), /^line 1: this is no trace/],
  ] as const) {
    withTrace(content, (file) =>
      assert.throws(
        () => drawFile(file, ALL),
        (error: Error) => {
          assert.match(error.message, message);
          return true;
        },
      ),
    );
  }
});

test('a last line that is cut off is left out; one without an end is read', () => {
  const whole = linesOf(...TALK);
  withTrace(whole.slice(0, -8), (file) => {
    const { svg, notes } = drawFile(file, ALL);
    elementsOf(svg);
    assert.deepEqual(notes, ['line 12 is not whole, and left out']);
    assert.doesNotMatch(svg, /exit code/);
  });
  withTrace(whole.slice(0, -1), (file) => assert.deepEqual(drawFile(file, ALL).notes, []));
});

test('every prefix and every changed byte of a trace gives a picture or an error with a line', () => {
  const whole = Buffer.from(linesOf(...TALK));
  const tryIt = (content: Buffer): void =>
    withTrace(content, (file) => {
      try {
        elementsOf(drawFile(file, ALL).svg);
      } catch (error) {
        assert.match((error as Error).message, /^line \d+: /);
      }
    });
  for (let i = 0; i < whole.length; i += 7) tryIt(whole.subarray(0, i));
  for (let i = 0; i < whole.length; i += 11) {
    const changed = Buffer.from(whole);
    changed[i] = changed[i]! ^ (1 << (i % 8));
    tryIt(changed);
  }
});

test('the command: on the standard output or with -o; code 1 and one line for what is wrong', async () => {
  await withTrace(linesOf(...TALK), async (file) => {
    const shown = await runCommand(['trace', file]);
    elementsOf(shown.stdout);
    assert.deepEqual([shown.stderr, shown.code], ['', 0]);
    const out = `${file}.svg`;
    const written = await runCommand(['trace', '-o', out, '--most=3', file]);
    assert.deepEqual([written.stdout, written.code], ['', 0]);
    assert.match(written.stderr, /^perilune: \S+: left out: 8 events .*\n$/);
    elementsOf(readFileSync(out, 'utf8'));
    for (const [args, message] of [
      [['trace', out], /^perilune: cannot draw \S+: line 1: this is no trace.*\n$/],
      [['trace', `${file}.none`], /^perilune: cannot draw \S+: No such file or directory\n$/],
      [['trace', file, '-o', '/dev/full'], /^perilune: cannot write \/dev\/full: No space left/],
    ] as const) {
      const { stderr, stdout, code } = await runCommand(args);
      assert.match(stderr, message);
      assert.deepEqual([stdout, code], ['', 1]);
    }
  });
});

test('mistakes on the command line', () => {
  for (const [args, message] of [
    [[], 'no trace given (perilune trace FILE)'],
    [['a', 'b'], "unexpected argument 'b'"],
    [['--most', 'x', 'a'], '--most needs a number'],
    [['--most', '-1', 'a'], '--most needs a number'],
    [['--most', '0', 'a'], '--most needs a number from 1'],
    [['--fiber-dump', 'a'], "unknown option '--fiber-dump'"],
    [['-x', 'a'], "unknown option '-x'"],
    [['a', '-o'], '-o needs a value'],
    [['a', '--actor='], '--actor needs a value'],
  ] as const)
    assert.deepEqual(parseArguments(['trace', ...args]), { do: 'fail', message });
  assert.deepEqual(
    parseArguments(
      'trace a -o b --from 1.5 --to=2 --actor x#1 --actor=y#2 --most 7 --actors 3'.split(' '),
    ),
    {
      do: 'trace',
      file: 'a',
      out: 'b',
      selection: { from: 1.5, to: 2, actors: ['x#1', 'y#2'], mostEvents: 7, mostActors: 3 },
    },
  );
});
