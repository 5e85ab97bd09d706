import assert from 'node:assert/strict';
import test from 'node:test';
import { runProgram, spec } from '../support/spec.ts';

const CATEGORY = `@prefix e: <https://schema.emilua.org/error_category/0/#> .
# What can go wrong in a bakery.
<about:emilua-module>
  a <https://schema.emilua.org/error_category/0/> ;
  e:error [
    e:code 1 ;
    e:alias "OUT_OF_FLOUR", "no flour" ;
    e:message "The flour is out", "Das Mehl ist aus"@de, 'Acabou a farinha'@pt-BR ;
    e:generic_error "ENOENT"
  ] , [
    e:code -7 ;
    e:message """Burnt
"black\\""""@en , '''Verbrannt \\u00e9'''
  ] ;
  e:error <#third> .
<#third> e:code 3; e:alias 'THIRD'; e:message "Third" .
`;

const files = { 'errors/bakery.ttl': CATEGORY };

spec(
  'm.ALIAS and m[code] make error objects, a new one each time',
  `
  local bakery = require '/errors/bakery'
  print(getmetatable(bakery), bakery == require '/errors/bakery')
  local e = bakery.OUT_OF_FLOUR
  e.context = 'bread'
  print(e, e.code, getmetatable(e), bakery.OUT_OF_FLOUR.context, rawequal(e, bakery.OUT_OF_FLOUR))
  print(e == bakery[1], e == bakery['no flour'], e == bakery.THIRD, e.category == bakery[2].category)
  print(bakery[-7], bakery[99], bakery[99].code, bakery[3] == bakery.THIRD)
`,
  `rdf_error_category_module	true
The flour is out	1	error_code	nil	false
true	true	false	true
Verbrannt é	Unknown	99	true
`,
  { files },
);

spec(
  'the category is named by the URI of the file',
  `
  local bakery = require '/errors/bakery'
  local name = tostring(bakery[1].category)
  print(name:match('^file:///.*/errors/bakery.ttl$') == name, tostring(bakery) == name)
  print(bakery[1].category:message(3), bakery[1].category.message(3))
  print(name == 'file://' .. tostring(_FILE):gsub('main.lua$', 'errors/bakery.ttl'))
`,
  'true\ttrue\nThird\tThird\ntrue\n',
  { files },
);

spec(
  'togeneric gives the portable error where there is one',
  `
  local bakery = require '/errors/bakery'
  local g = bakery.OUT_OF_FLOUR:togeneric()
  print(g, g.category, g == require('generic_error').ENOENT)
  print(bakery.THIRD:togeneric() == bakery.THIRD, bakery.OUT_OF_FLOUR == require('generic_error').EPERM)
`,
  'No such file or directory\tgeneric\ttrue\ntrue\tfalse\n',
  { files },
);

spec(
  'unknown names and other keys are bad_index; nothing can be written',
  `
  local bakery = require '/errors/bakery'
  for _, key in ipairs { 'NONE', true, {}, 'category', 'codes', '1' } do
    local ok, e = pcall(function() return bakery[key] end)
    print(e, e.index)
  end
  print(select(2, pcall(function() bakery.X = 1 end)))
`,
  "Requested key wasn't found in the table/userdata\t2\n".repeat(6) + 'Operation not permitted\n',
  { files },
);

spec(
  'relative ids find no .ttl; a module in Lua comes first',
  `
  print(select(2, pcall(require, './errors')))
  print(require('/bakery').lua, require('/errors')[1])
`,
  'Module not found\ntrue\tThe flour is out\n',
  {
    files: { 'errors.ttl': CATEGORY, 'bakery.ttl': CATEGORY, 'bakery/init.lua': 'lua = true' },
  },
);

test('messages are in the language of the process', async () => {
  const source = `
    local bakery = require '/errors/bakery'
    print(bakery[1])
    print((bakery[-7].category:message(-7):gsub('\\n', '|')))`;
  const outputs: string[] = [];
  for (const locale of ['C', 'de_AT.UTF-8', 'pt_BR.UTF-8', 'pt_PT', 'den', 'en', 'DE']) {
    const { stdout, stderr } = await runProgram(source, { files, env: { LC_ALL: locale } });
    assert.equal(stderr, '');
    outputs.push(stdout.replace('\n', ' / ').trim());
  }
  assert.deepEqual(outputs, [
    'The flour is out / Verbrannt é',
    'Das Mehl ist aus / Verbrannt é',
    'Acabou a farinha / Verbrannt é',
    'The flour is out / Verbrannt é',
    'The flour is out / Verbrannt é',
    'The flour is out / Burnt|"black"',
    'Das Mehl ist aus / Verbrannt é',
  ]);
  const byLang = await runProgram(source, {
    files,
    env: { LC_ALL: '', LC_MESSAGES: '', LANG: 'de_DE' },
  });
  assert.match(byLang.stdout, /^Das Mehl/);
});

const ERROR = 'e:code 1; e:message "x"';
const module = (body: string): string =>
  `@prefix e: <https://schema.emilua.org/error_category/0/#> .\n` +
  `<about:emilua-module> a <https://schema.emilua.org/error_category/0/> ${body} .`;

function rejects(name: string, message: string, texts: readonly string[]): void {
  const named = Object.fromEntries(texts.map((text, i) => [`m${i}.ttl`, text]));
  spec(
    name,
    `
    for i = 0, ${texts.length - 1} do
      local ok, e = pcall(require, '/m' .. i)
      print(e, type(e) == 'table' and e.module == '/m' .. i or i)
    end
  `,
    `${message}\ttrue\n`.repeat(texts.length),
    { files: named, once: true },
  );
}

rejects('what is no Turtle, or says nothing, is bad_rdf', 'Failed to parse RDF', [
  '',
  '# only a comment',
  'hello',
  '<a> <b>',
  '<a> <b> <c>',
  '<a> <b> "x',
  '<a> <b> x:y .',
  '<a> <b> 1 2 .',
  '@prefix e: <https://e.org/> .',
  '<a> <b> [ .',
  '"literal" <b> <c> .',
  '<a> a "\\q" .',
  '<a> <b> "\\ud800" .',
  `<a> <b> ${'['.repeat(5000)} .`,
  `<a> <b> ${'('.repeat(5000)} .`,
  '<a b> <c> <d> .',
  '\u0000',
  '<a> <b> "one\ntwo" .',
  '_:a _:b <c> .',
]);

rejects(
  'a file without the module, or with several types, is bad_rdf_module',
  "Parsed RDF doesn't contain a recognized Emilua module",
  [
    '<a> <b> <c> .',
    '<about:emilua-module> <b> <c> .',
    '<about:emilua-module> a <https://schema.emilua.org/error_category/0/>, <https://schema.emilua.org/plugin/0/> .',
  ],
);

rejects(
  'another type, or a property that is not as it must be, is bad_rdf_error_category',
  'Parsed RDF module contains an invalid error category',
  [
    '<about:emilua-module> a <https://schema.emilua.org/other/0/> .',
    '<about:emilua-module> a "https://schema.emilua.org/error_category/0/" .',
    module('; e:error "text"'),
    module('; e:error []'),
    module('; e:error [ e:message "x" ]'),
    module('; e:error [ e:code 1 ]'),
    module('; e:error [ e:code "1"; e:message "x" ]'),
    module('; e:error [ e:code 1.5; e:message "x" ]'),
    module('; e:error [ e:code 1, 2; e:message "x" ]'),
    module('; e:error [ e:code 99999999999; e:message "x" ]'),
    module('; e:error [ e:code <x>; e:message "x" ]'),
    module('; e:error [ e:code 1; e:message "x", "y" ]'),
    module('; e:error [ e:code 1; e:message "x"@en ]'),
    module('; e:error [ e:code 1; e:message "x", "y"@en, "z"@EN ]'),
    module('; e:error [ e:code 1; e:message 5 ]'),
    module(`; e:error [ ${ERROR}; e:alias 5 ]`),
    module(`; e:error [ ${ERROR}; e:alias "a"@en ]`),
    module(`; e:error [ ${ERROR}; e:alias "a" ], [ e:code 2; e:message "x"; e:alias "a" ]`),
    module(`; e:error [ ${ERROR} ], [ ${ERROR} ]`),
    module(`; e:error [ ${ERROR}; e:generic_error "ENONSENSE" ]`),
    module(`; e:error [ ${ERROR}; e:generic_error "EPERM", "ENOENT" ]`),
  ],
);

spec(
  'a category may have no errors, and properties that are not known',
  `
  print(require('/empty')[5])
  print(require('/more')[1])
`,
  'Unknown\nx\n',
  {
    files: {
      'empty.ttl': module(''),
      'more.ttl': module(`; e:author "me"; e:error [ ${ERROR}; e:note "?" ]`),
    },
  },
);
