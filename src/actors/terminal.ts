/** What Lua objects over a terminal have alike; their types add these to their own. */
import type { Terminal } from '../io/terminal.ts';
import { bytesOf } from '../runtime/byte-span.ts';
import { decodeBytes } from '../runtime/bytes.ts';
import { checkInt32, checkIntegerIn } from '../runtime/check.ts';
import { badArgument } from '../runtime/error-code.ts';
import { type LuaValue, NONE, type Result } from '../runtime/value.ts';

const MOST = 0xffff;

const checkExtent = (v: LuaValue, position: number, fn: string): number =>
  checkIntegerIn(v, position, fn, 0, MOST);

/** @param of  the terminal of an object */
export function terminalMethods<C>(of: (self: C) => Terminal) {
  return {
    tcgetpgrp: (self: C): Result => of(self).foreground,
    tcsetpgrp(self: C, group: LuaValue): Result {
      of(self).foreground = checkInt32(group, 2, 'tcsetpgrp');
      return NONE;
    },
    window_size(self: C): Result {
      const { columns, rows } = of(self).windowSize;
      return [columns, rows];
    },
    set_window_size(self: C, columns: LuaValue, rows: LuaValue): Result {
      const width = checkExtent(columns, 2, 'set_window_size');
      of(self).resize(width, checkExtent(rows, 3, 'set_window_size'));
      return NONE;
    },
    terminal_mode(self: C): Result {
      const { mode } = of(self);
      return decodeBytes(mode, 0, mode.length);
    },
    set_terminal_mode(self: C, mode: LuaValue): Result {
      const terminal = of(self);
      if (mode === 'raw' || mode === 'cbreak') {
        terminal.setMode(mode);
        return NONE;
      }
      const saved = typeof mode === 'string' ? bytesOf(mode) : undefined;
      if (saved === undefined || saved.length !== terminal.mode.length) throw badArgument(2);
      terminal.setMode(saved);
      return NONE;
    },
  };
}
