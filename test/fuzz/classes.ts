/**
 * A few tables that are each other's classes and objects, to which everything happens that can: fields
 * and metatables change, by constant keys and by ones made at run time. Each step tells what it changed.
 */
import type { Random } from './random.ts';

const TABLES = ['A', 'B', 'C', 'D', 'o', 'p', 'q'] as const;
const NAMES = ['x', 'y', 'z', 'm'] as const;

/** Uses each class so often that its tables are made in their own way, whatever ran before. */
const CLASSES = `
A.__index = A
B = setmetatable(B, {__index = A})
B.__index = B
A.x, A.m, B.y = 'Ax', F1, 'By'
for i = 1, 5 do C = setmetatable({z = i}, A) D = setmetatable({z = i}, B) end
`;

const HEAD = `local key = function(s) return (s:gsub('', '')) end
local A, B, C, D, o, p, q = {}, {}, {}, {}, {}, {}, {}
local function F1(...) return 'F1' end
local function F2(...) return 'F2' end
local function G1(t, k) return 'G' .. tostring(k) end
local function N1(t, k, v) rawset(t, 'n' .. tostring(k), v) end
local function str(v)
  local kind = type(v)
  return (kind == 'table' or kind == 'function') and kind or tostring(v)
end
local line = {}
local function emit(...) for i = 1, select('#', ...) do line[#line + 1] = str((select(i, ...))) end end
local function try(f)
  local ok, e = pcall(f)
  if not ok then emit((tostring(e):gsub('^.-:%d+: ', ''):gsub('table: 0x%x+', 'table'))) end
end
local function dump(t)
  emit(t.x, t.y, t.z, t.m, t.u0, t.w0, t.nx, t[key('x')], t[key('y')], t[1], rawget(t, 'x'),
    rawget(t, 'y'), rawget(t, key('z')), rawget(t, '__index') ~= nil, t.__index ~= nil)
  local list = {}
  for k, v in pairs(t) do list[#list + 1] = tostring(k) .. str(v) end
  table.sort(list)
  emit(table.concat(list, ' '))
end
local function tell(i)
  for _, t in ipairs{A, B, C, D, o, p, q} do try(function() dump(t) end) end
  print(i, table.concat(line, ','))
  line = {}
end
`;

function value(r: Random): string {
  return r.pick(['1', '2', "'s'", 'false', 'true', 'nil', 'nil', 'F1', 'F2', r.pick(TABLES)]);
}

function statement(r: Random): string {
  const t = r.pick(TABLES);
  const u = r.pick(TABLES);
  const k = r.pick(NAMES);
  switch (r.int(18)) {
    case 0:
      return `${t}[key('${k}')] = ${value(r)}`;
    case 1:
      return `rawset(${t}, key('${k}'), ${value(r)})`;
    case 2:
      return `${t}.__index = ${r.pick([u, u, u, t, t, 'nil', 'G1'])}`;
    case 3:
      return `${t}[key('__index')] = ${r.pick([u, u, t, 'nil', 'G1'])}`;
    case 4:
      return `${t}.__newindex = ${r.pick([u, 'nil', 'nil', 'N1'])}`;
    case 5:
      return `rawset(${t}, key('__newindex'), ${r.pick([u, 'nil', 'nil', 'N1'])})`;
    case 6:
      return `setmetatable(${t}, ${r.pick([u, u, u, 'nil'])})`;
    case 7:
    case 8:
    case 9:
      return `${t} = setmetatable({${r.pick(['', 'x = 1', 'y = 2, x = 3', 'z = nil', 'm = F1, 5, 6'])}}, ${u})`;
    case 10:
      return `${t} = setmetatable({}, {__index = ${u}})`;
    case 11:
      return `${t}.${k} = (${t}.${k} or 0) == 1 and 2 or 1`;
    case 12:
      return `${t}[${1 + r.int(3)}] = ${value(r)}`;
    case 13:
      return `${t}[key('w${r.int(3)}')] = ${value(r)}`;
    case 14:
      return `for k in pairs(${t}) do ${t}[k] = nil end`;
    case 15:
      return `emit(${t}:m(1))`;
    case 16:
      return `${t}.u${r.int(3)} = ${value(r)}`;
    default:
      return `${t}.${k} = ${value(r)}`;
  }
}

export function classProgram(r: Random): string {
  let out = HEAD;
  if (r.chance(70)) out += CLASSES;
  const count = 10 + r.int(50);
  for (let i = 1; i <= count; i++) {
    out += `try(function() ${statement(r)} end)\n`;
    if (r.chance(50) || i === count) out += `tell(${i})\n`;
  }
  return out;
}
