-- Copies a tree as cp -a does.
local fs = require 'filesystem'
local arguments = require('system').arguments
fs.copy(fs.path.new(arguments[3]), fs.path.new(arguments[4]),
  {recursive = true, symlinks = 'copy', special = 'copy', preserve = 'all'})
