/** Flags of calls: integers, as up to Emilua 0.7, or lists of names, as since. */
import { checkInt32 } from '../../runtime/check.ts';
import { namedFlags } from '../../runtime/flags.ts';
import { LuaTable } from '../../runtime/table.ts';
import type { LuaValue } from '../../runtime/value.ts';
import {
  AI_ADDRCONFIG,
  AI_ALL,
  AI_CANONNAME,
  AI_PASSIVE,
  AI_V4MAPPED,
} from '../../sys/resolver.ts';
import { MSG_DONTROUTE, MSG_EOR, MSG_OOB, MSG_PEEK } from '../../sys/socket.ts';

export type Flags = Readonly<Record<string, number>>;

export const MESSAGE_FLAGS = {
  do_not_route: MSG_DONTROUTE,
  end_of_record: MSG_EOR,
  out_of_band: MSG_OOB,
  peek: MSG_PEEK,
} as const;

export const ADDRESS_INFO_FLAGS = {
  address_configured: AI_ADDRCONFIG,
  all_matching: AI_ALL,
  canonical_name: AI_CANONNAME,
  passive: AI_PASSIVE,
  v4_mapped: AI_V4MAPPED,
} as const;

/** @returns undefined for what is neither a number nor a table; EINVAL{arg} for an unknown name, or a number that is no int */
export function readFlags(v: LuaValue, names: Flags, position: number): number | undefined {
  if (typeof v === 'number') return checkInt32(v, position, '');
  return v instanceof LuaTable ? namedFlags(v, names, position) : undefined;
}
