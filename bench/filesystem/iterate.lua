-- Counts the entries of a tree.
local fs = require 'filesystem'
local count = 0
for entry in fs.recursive_directory_iterator(fs.path.new(require('system').arguments[3])) do count = count + 1 end
print(count)
