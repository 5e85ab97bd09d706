// A document of about so many MB, the same each time: an array of records as an API might send them.
//   write.cjs MEGABYTES FILE
const { closeSync, openSync, writeSync } = require('node:fs');
const left = Number(process.argv[2]) * 1e6;
const fd = openSync(process.argv[3], 'w');
const WORDS =
  'amber birch cedar delta ember fjord grove heath inlet joule knoll ledge Zürich "quoted" tab\there'.split(
    ' ',
  );
let random = 12345;
const next = (below) => {
  random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
  return random % below;
};
const words = (count) => Array.from({ length: count }, () => WORDS[next(WORDS.length)]).join(' ');
let text = '[';
let written = 0;
for (let id = 1; written + text.length < left; id++) {
  const item = {
    id,
    name: words(2),
    size: next(1_000_000),
    ratio: next(1_000_000) / 4096,
    active: next(2) === 1,
    parent: next(4) === 0 ? null : next(id),
    text: words(8 + next(12)),
    tags: Array.from({ length: next(5) }, () => words(1)),
    place: {
      lat: next(180_000_000) / 1e6 - 90,
      lon: next(360_000_000) / 1e6 - 180,
      city: words(1),
    },
  };
  text += `${id > 1 ? ',\n' : ''}${JSON.stringify(item)}`;
  if (text.length > 1 << 20) {
    written += writeSync(fd, text);
    text = '';
  }
}
writeSync(fd, `${text}]\n`);
closeSync(fd);
