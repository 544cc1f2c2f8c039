-- Spends `cost` from a rate and a quota of one key: both or none. One atomic step, by the server's own clock, so that
-- instances with different clocks agree.
--
-- KEYS[1]  the counter: "<at> <rate> <quota>", at = the server's time in us when it was written, the others = the
--          debts at that time in ns. Every number is whole and below 2^53, so double arithmetic is exact.
-- ARGV     cost, interval and window of the rate, interval and window of the quota (ns; window 0 = no quota)
-- Returns  {1 | 0, rate debt, quota debt}: after the request where it passed, before it where it did not.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local cost = tonumber(ARGV[1])
local rate_price, rate_window = cost * tonumber(ARGV[2]), tonumber(ARGV[3])
local quota_price, quota_window = cost * tonumber(ARGV[4]), tonumber(ARGV[5])

local at, rate, quota = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
-- A server clock set back drains nothing, and the counter goes on from the new time.
local drained = math.max(0, now - (tonumber(at) or now)) * 1000
local rate_left = math.max(0, (tonumber(rate) or 0) - drained)
local quota_left = math.max(0, (tonumber(quota) or 0) - drained)
-- Limits made smaller: nobody waits longer than one window of the limit in force.
local rate_debt = math.min(rate_left, rate_window)
local quota_debt = quota_window > 0 and math.min(quota_left, quota_window) or quota_left

local rate_fits = rate_debt + rate_price <= rate_window
local quota_fits = quota_window == 0 or quota_debt + quota_price <= quota_window
local passed = rate_fits and quota_fits
if passed then
  rate_debt = rate_debt + rate_price
  if quota_window > 0 then
    quota_debt = quota_debt + quota_price
  end
end
if passed or rate_debt < rate_left or quota_debt < quota_left then
  local rest = math.max(rate_debt, quota_debt)
  local value = string.format('%.0f %.0f %.0f', now, rate_debt, quota_debt)
  redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', math.ceil(rest / 1000000) + 1))
end
return { passed and 1 or 0, rate_debt, quota_debt }
