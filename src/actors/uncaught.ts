/** What a person is told of an error that nobody has caught: the rest of it, behind what its fiber's report begins with. */
import type { Origin } from '../fibers/fiber.ts';
import { formatTrace, type LuaError } from '../runtime/error.ts';
import { readError } from '../runtime/error-code.ts';
import { entries, LuaTable } from '../runtime/table.ts';
import type { LuaValue, Userdata } from '../runtime/value.ts';
import { describeOrigin } from './fiber-dump.ts';
import { FilePath } from './modules.ts';
import { oneLine, summarize } from './summary.ts';

const MAX_FIELDS = 8;
/** Characters of a field's name. */
const MAX_NAME = 32;

/** Where it was raised, who started the fiber, and what its fields say. */
export function describeError({ trace, value }: LuaError, origin: Origin | undefined): string {
  const lines = trace === undefined ? '' : `\n${formatTrace(trace)}`;
  return lines + describeOrigin(origin) + describeFields(value);
}

/** The named fields of a table, in one line; of an error object those that its message is not made of. */
function describeFields(value: LuaValue): string {
  if (!(value instanceof LuaTable)) return '';
  const said = readError(value) === undefined ? [] : ['code', 'category'];
  const fields: string[] = [];
  for (const [key, field] of entries(value)) {
    if (typeof key !== 'string' || said.includes(key)) continue;
    if (fields.push(`${oneLine(key, MAX_NAME)} = ${summarize(field, nameOf).text}`) === MAX_FIELDS)
      break;
  }
  if (fields.length === 0) return '';
  return `\nwith ${Buffer.from(fields.join(', '), 'utf8').toString('latin1')}`;
}

/** No metamethods: no fiber is there to run them. */
const nameOf = (object: Userdata): string =>
  object instanceof FilePath
    ? summarize(object.path, nameOf).text
    : `<${String(object.luaType.name)}>`;
