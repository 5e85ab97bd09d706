// N programs, one after the other, by Node's child_process.
const { spawn } = require('node:child_process');
const count = Number(process.argv[2]);
let ended = 0;
function next(started) {
  if (started === count) {
    console.log(ended);
    return;
  }
  spawn('/bin/true', [], { stdio: 'inherit', env: {} }).on('exit', (code) => {
    if (code === 0) ended++;
    next(started + 1);
  });
}
next(0);
