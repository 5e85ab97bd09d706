'use strict';
// Node asks for the working directory before it runs what a thread is for, and ends the thread where that is gone.
// src/actors/threads/pool.ts has it loaded first then.
const { cwd } = process;
process.cwd = () => {
  try {
    return cwd();
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    process.cwd = cwd; // whoever asks later is told
    return '';
  }
};
