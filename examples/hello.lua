-- perilune examples/hello.lua
print('hello from ' .. _VERSION .. ' on Perilune')

for _, moon in ipairs { 'Luna', 'Io' } do
  spawn(function()
    this_fiber.yield() -- whoever else can run goes first
    print(moon .. ' rises in a fiber of its own')
  end):detach()
end
