// The same with V8's own JSON, on text in UTF-16: what can be had at most.
const { readFileSync } = require('node:fs');
const [mode, rounds] = [process.argv[2], Number(process.argv[3])];
const text = readFileSync(0, 'utf8');
let size = 1;
if (mode === 'decode') for (let i = 0; i < rounds; i++) size = JSON.parse(text).length;
else {
  const value = JSON.parse(text);
  for (let i = 0; i < rounds; i++) size = JSON.stringify(value).length;
}
console.log(size > 0);
