/**
 * A Lua program of a given size that looks like programs do: modules of functions, methods and tables, with
 * loops, conditions, string building, closures and comments. The same text for the same size.
 */

/** A generator of numbers, so that a text depends on nothing else. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NOUNS =
  'account address buffer channel client counter entry event field file filter group header index item key label level limit line list message node offset order owner packet parser path pattern policy price queue range record request result rule score session state table token total user value vector window'.split(
    ' ',
  );
const VERBS =
  'add apply build check clear close collect compare count create decode encode expand fetch find format handle insert load make merge open parse push read remove reset resolve select send sort split store update validate visit write'.split(
    ' ',
  );

export function generate(bytes: number): string {
  const random = numbers(bytes);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const out: string[] = ['-- A generated program.\n'];
  let size = 0;
  const emit = (text: string): void => {
    out.push(text);
    size += text.length;
  };
  for (let section = 1; size < bytes; section++) {
    const noun = pick(NOUNS);
    const Class = `${noun[0]!.toUpperCase()}${noun.slice(1)}${section}`;
    const [a, b, c] = [pick(NOUNS), pick(NOUNS), pick(NOUNS)];
    const [v, w, x] = [pick(VERBS), pick(VERBS), pick(VERBS)];
    emit(`
do
  -- ${Class}: keeps the ${a}s of a ${noun}, and what was last done with them.
  ${Class} = {}
  ${Class}.__index = ${Class}

  local DEFAULT_${a.toUpperCase()} = ${random(5000)}
  local names = { '${a}', '${b}', '${c}', default = ${random(100) / 8}, ['${v} ${w}'] = true }

  function ${Class}.new(${a}, options)
    options = options or {}
    local self = setmetatable({
      ${a} = ${a} or DEFAULT_${a.toUpperCase()},
      ${b}s = {},
      ${c}_count = 0,
      name = options.name or "${noun}",
      limit = options.limit or ${random(1000)},
    }, ${Class})
    return self
  end

  --- Only the ${b}s that are worth it.
  function ${Class}:${v}_${b}(${b}, ...)
    if ${b} == nil then
      error('${Class}: no ${b} to ${v}', 2)
    elseif type(${b}) ~= 'table' then
      ${b} = { value = ${b}, extra = select('#', ...) }
    end
    local ${b}s, total = self.${b}s, 0
    for i = 1, #${b}s do
      local other = ${b}s[i]
      if other.value == ${b}.value and not other.removed then
        other.count = (other.count or 1) + 1
        total = total + other.count * ${1 + random(9)}
      end
    end
    if total > self.limit then
      return nil, ('%s: more than %d ${b}s'):format(self.name, self.limit)
    end
    ${b}s[#${b}s + 1] = ${b}
    self.${c}_count = self.${c}_count + 1
    return total
  end

  local function ${w}(list, keep, depth)
    local result, n = {}, 0
    for key, value in pairs(list) do
      if type(value) == 'table' and depth > 0 then
        value = ${w}(value, keep, depth - 1)
      end
      if keep == nil or keep(key, value) then
        n = n + 1
        result[n] = { key = key, value = value, weight = n * 2 ^ depth % ${7 + random(90)} }
      end
    end
    table.sort(result, function(left, right)
      if left.weight ~= right.weight then return left.weight < right.weight end
      return tostring(left.key) < tostring(right.key)
    end)
    return result
  end

  function ${Class}:${x}_all(separator)
    local parts = {}
    for i, entry in ipairs(${w}(self.${b}s, nil, ${1 + random(3)})) do
      local text = tostring(entry.value)
      if #text > 0 and text:find('^[%w_]+') then
        parts[#parts + 1] = '[' .. i .. '] ' .. text:upper() .. (separator or ', ')
      else
        parts[#parts + 1] = string.format('%5.2f %q', entry.weight, text)
      end
      while #parts > ${20 + random(200)} do table.remove(parts, 1) end
    end
    return table.concat(parts, '\\n'), #parts
  end

  function ${Class}:close()
    local ok, reason = pcall(function()
      self.${b}s, self.closed = {}, true
      return self:${v}_${b}({ value = names.default, flags = { 0x${random(65536).toString(16)}, -1, ${random(100)} } })
    end)
    repeat self.${c}_count = self.${c}_count - 1 until self.${c}_count <= 0
    return ok and reason or false
  end
end
`);
    if (section % 40 === 0) {
      emit(`
do
  local it = ${Class}.new(${random(10)}, { name = 'check', limit = 1e9 })
  for i = 1, 3 do it:${v}_${b}(i % 2) end
  it:${x}_all()
  it:close()
end
`);
    }
  }
  emit('print(collectgarbage and "done")\n');
  return out.join('');
}
