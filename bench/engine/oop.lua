-- Objects with two levels of inheritance through __index: methods that are overridden, inherited and
-- called up the chain.
local Account = {}
Account.__index = Account

function Account.new(class, owner, balance)
  return setmetatable({ owner = owner, balance = balance, moves = 0 }, class)
end

function Account:deposit(amount)
  self.balance = self.balance + amount
  self.moves = self.moves + 1
end

function Account:withdraw(amount)
  if not self:allows(amount) then return false end
  self.balance = self.balance - amount
  self.moves = self.moves + 1
  return true
end

function Account:allows(amount)
  return amount <= self.balance
end

function Account:month_end() end

local Savings = setmetatable({}, { __index = Account })
Savings.__index = Savings

function Savings.new(class, owner, balance, rate)
  local self = Account.new(class, owner, balance)
  self.rate = rate
  return self
end

function Savings:month_end()
  self:deposit(self.balance * self.rate)
end

local Checking = setmetatable({}, { __index = Savings })
Checking.__index = Checking

function Checking.new(class, owner, balance, rate, limit)
  local self = Savings.new(class, owner, balance, rate)
  self.limit = limit
  return self
end

function Checking:allows(amount)
  return amount <= self.balance + self.limit
end

function Checking:month_end()
  if self.balance > 0 then
    Savings.month_end(self)
  else
    self:withdraw(1)
  end
end

local accounts = {}
for i = 1, 90 do
  local owner = 'owner ' .. i
  if i % 3 == 0 then
    accounts[i] = Account:new(owner, i)
  elseif i % 3 == 1 then
    accounts[i] = Savings:new(owner, i, 0.0001)
  else
    accounts[i] = Checking:new(owner, i, 0.0001, 50)
  end
end

local refused = 0
for month = 1, 240000 do
  for i = 1, #accounts do
    local account = accounts[i]
    account:deposit(month % 7)
    if not account:withdraw(month % 5 + i % 3) then refused = refused + 1 end
    account:month_end()
  end
end

local sum, moves = 0, 0
for _, account in ipairs(accounts) do
  sum = sum + account.balance
  moves = moves + account.moves
end
print(string.format('%.6f', sum), moves, refused)
