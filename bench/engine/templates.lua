-- gsub with functions, tables and captures in short texts.
local function main()
local tpl = "Dear ${name}, your order #${id} of ${count} items (${item}) ships to ${city}. Total: ${total}.\n"
local esc = {["&"]="&amp;",["<"]="&lt;",[">"]="&gt;",['"']="&quot;"}
local n = 0
for i = 1, 50000 do
  local v = {name = "Bob <" .. i .. ">", id = i, count = i % 9, item = "a&b", city = "X", total = i * 1.5}
  local s = tpl:gsub("%${(%w+)}", function(k) return tostring(v[k]) end)
  s = s:gsub('[&<>"]', esc)
  local t = tpl:gsub("%${(%w+)}", v)
  n = n + #s + #t
  s = s:gsub("(%w+) (%w+)", "%2 %1", 3)
  n = n + s:len()
end
print(n)

end
for K = 1, 2 do main() end
