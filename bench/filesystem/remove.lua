-- Removes a tree.
local fs = require 'filesystem'
print(fs.remove_all(fs.path.new(require('system').arguments[3])))
