/** Token kinds: small integers, so that the parser compares numbers. Lua 5.1 manual §2.1. */
export const T = {
  eof: 0,
  name: 1,
  string: 2,
  number: 3,
  // keywords
  and: 10,
  break: 11,
  do: 12,
  else: 13,
  elseif: 14,
  end: 15,
  false: 16,
  for: 17,
  function: 18,
  goto: 19,
  if: 20,
  in: 21,
  local: 22,
  nil: 23,
  not: 24,
  or: 25,
  repeat: 26,
  return: 27,
  then: 28,
  true: 29,
  until: 30,
  while: 31,
  // operators of more than one character
  concat: 40,
  dots: 41,
  eq: 42,
  ge: 43,
  le: 44,
  ne: 45,
  label: 46,
} as const;

/** All other tokens are their own character code, shifted out of the way. */
export const CHAR = 256;

export const keywords: ReadonlyMap<string, number> = new Map(
  [
    'and',
    'break',
    'do',
    'else',
    'elseif',
    'end',
    'false',
    'for',
    'function',
    'goto',
    'if',
    'in',
    'local',
    'nil',
    'not',
    'or',
    'repeat',
    'return',
    'then',
    'true',
    'until',
    'while',
  ].map((word) => [word, T[word as keyof typeof T]]),
);

const spell = (): Map<number, string> =>
  new Map([
    [T.eof, '<eof>'],
    [T.name, '<name>'],
    [T.string, '<string>'],
    [T.number, '<number>'],
    [T.concat, '..'],
    [T.dots, '...'],
    [T.eq, '=='],
    [T.ge, '>='],
    [T.le, '<='],
    [T.ne, '~='],
    [T.label, '::'],
    ...Array.from(keywords, ([word, kind]): [number, string] => [kind, word]),
  ]);
/** For messages, of which most programs have none. */
let spelled: Map<number, string> | undefined;

/** How messages spell a token kind. */
export function tokenName(kind: number): string {
  const isControl = (kind >= CHAR && kind < CHAR + 32) || kind === CHAR + 127;
  if (isControl) return `char(${kind - CHAR})`;
  spelled ??= spell();
  return spelled.get(kind) ?? String.fromCharCode(kind - CHAR);
}
