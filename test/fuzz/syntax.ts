/**
 * Texts that are nearly programs: tokens of correct statements left out, doubled, exchanged and replaced. What is wrong, and
 * near which token, must be said in the same words; what is still correct must be taken for it.
 */
import type { Random } from './random.ts';

/** No `break` but at a block's end, no `;` alone, no `(` that begins a line: LuaJIT takes them in its 5.2 mode only. */
const STATEMENTS = [
  'local a , b = 1 , { 2 , x = 3 , [ 4 ] = 5 }',
  'local function f ( a , ... ) return a , ... end',
  'function t . a . b : c ( x ) return self end',
  'function g ( ) end',
  'if a then b = 1 elseif c then b = 2 else b = 3 end',
  'while a < 3 do a = a + 1 end',
  'repeat local x = f ( ) until x',
  'for i = 1 , 10 , 2 do print ( i ) end',
  'for k , v in pairs ( t ) do t [ k ] = nil end',
  'do local x < y = 1 end',
  'goto done',
  '::done::',
  'a . b [ c ] . d = e : f "x" { 1 } ( 2 )',
  'a , b = b , a',
  'x = not - # a ^ 2 .. "s" or b and c == d ~= e',
  'y = function ( ... ) local t = { ... } return # t end',
  's = [[long\n string]] .. [==[ ]] ]==] .. \'q\' .. "a  b"',
  'n = 0x1F + 1e5 + .5 + 3. + 0x.8p1 + 1e-2 - 0b11',
  'print "a" print { } print ( )',
  'z = ( a ) . b ( ( c ) )',
  'do end',
  'return 1 , 2',
  'return',
  'while true do break end',
  'local x -- comment\n= 1',
  'local y --[[ long\n ]] = 2 --[==[ x ]==]',
  't = { f ( ) , ... , nil , [ f ] = g , }',
  'do goto l1 ::l1:: end',
  'do local a ::l2:: goto l2 end',
];
const TOKENS =
  'and do else elseif end false for function goto if in local nil not or repeat return then true until while + - * / % ^ # == ~= <= >= < > = ( ) { } [ ] :: : , . .. ... a b f t self 1 0x 1e 3.5 0xg 1..2 1x "s" \'s\' "\\q" "\\300" "\\x4" "\\u{110000000}" "open [[open --[[open --x [=[ ]] [= ~ ! @ $ & | ? \\ `'.split(
    ' ',
  );

const GOTO = /(?:^|\n|\w::|\b(?:do|end|then|else|repeat)) *goto (?:done|l1|l2)\b/g;

export function syntaxProgram(r: Random): string {
  let out = '';
  const count = 30 + r.int(30);
  for (let i = 1; i <= count; i++) {
    const tokens = r
      .some(1, 4, () => r.pick(STATEMENTS))
      .join(r.chance(50) ? ' ' : ' \n ')
      .split(' ');
    for (let n = 1 + r.int(2); n > 0 && tokens.length > 0; n--) {
      const at = r.int(tokens.length);
      const other = r.int(tokens.length);
      switch (r.int(5)) {
        case 0:
          tokens.splice(at, 1);
          break;
        case 1:
          tokens.splice(at, 0, tokens[at]!);
          break;
        case 2:
          [tokens[at], tokens[other]] = [tokens[other]!, tokens[at]!];
          break;
        case 3:
          tokens[at] = r.pick(TOKENS);
          break;
        default:
          tokens.splice(at, 0, r.pick(TOKENS));
      }
    }
    if (r.chance(5)) tokens.splice(r.int(40));
    const text = tokens
      .join(' ')
      .replace(/\n(\s*\()/g, ' $1')
      .replace(/break(?! end)/g, 'b');
    // Where `goto` is no keyword to LuaJIT, it is a name. (It is one in its 5.2 mode, and here.)
    const bare = text.replace(/--\[(=*)\[.*?\]\1\]|--[^\n]*/gs, '');
    if (
      /(?:[-+*/%^=<>~,.#([{]|\b(?:and|or|not|return|in|local|function|if|while|until))\s+goto/.test(
        bare,
      )
    )
      continue;
    if ((bare.match(/goto/g) ?? []).length !== (bare.match(GOTO) ?? []).length) continue;
    const quoted = text.replace(
      /[^ !#-[\]-~]/g,
      (c) => `\\${String(c.charCodeAt(0)).padStart(3, '0')}`,
    );
    out += `T(${i}, "${quoted}")\n`;
  }
  return `local function T(n, s) local f, e = loadstring(s, "=s") print(n .. ": " .. (f and "a chunk" or (e:gsub("[^ -~]", "?")))) end\n${out}`;
}
