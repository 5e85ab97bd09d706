/** `perilune`: the process entry point. A placeholder until the engine lands. */
process.stdout.write('usage: perilune program.lua [arguments]\n');
