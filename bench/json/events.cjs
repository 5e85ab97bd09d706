// The same with the whole document in memory.
const items = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
console.log(`${items.length}\t${items.reduce((sum, item) => sum + item.size, 0)}`);
