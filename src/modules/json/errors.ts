/** JSON's error objects, which say where: byte, line, column, path. */
import { categoryError } from '../../runtime/error-code.ts';
import { domCategory, lexerCategory } from '../../runtime/json-category.ts';
import { JsonFault } from '../../runtime/json-lex.ts';
import { arrayOf } from '../../runtime/table.ts';
import type { LuaValue } from '../../runtime/value.ts';

/** A place in a text: all three count from 1; columns are bytes. */
export interface Place {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** Where `offset` (from 0) is in a text that itself begins at `start`. */
export function placeOf(text: string, offset: number, start: Place = TOP): Place {
  if (offset === 0) return start;
  let { line } = start;
  let lineStart = 1 - start.column;
  for (let i = text.indexOf('\n'); i >= 0 && i < offset; i = text.indexOf('\n', i + 1)) {
    line++;
    lineStart = i + 1;
  }
  return { offset: start.offset + offset, line, column: offset - lineStart + 1 };
}

export const TOP: Place = { offset: 1, line: 1, column: 1 };

/** What is thrown, as an error for Lua; what is no fault of JSON stays as it is. */
export function jsonError(
  thrown: unknown,
  where: (offset: number) => Place,
  path: () => LuaValue[],
): unknown {
  if (!(thrown instanceof JsonFault)) return thrown;
  const { offset, line, column } = where(thrown.offset);
  return categoryError(thrown.dom ? domCategory : lexerCategory, thrown.code, {
    offset,
    line,
    column,
    path: arrayOf(path()),
  });
}

/** Use a writer: its misuse has no place. */
export function attempt<T>(write: () => T): T {
  try {
    return write();
  } catch (thrown) {
    throw thrown instanceof JsonFault ? categoryError(lexerCategory, thrown.code) : thrown;
  }
}
