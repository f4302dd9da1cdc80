-- wrk's script: spreads requests over the paths given after `--`, in turn, and prints what is needed on one line.

local requests = {}
local turn = 0

function init(paths)
  if #paths > 1 then
    for i, path in ipairs(paths) do
      requests[i] = wrk.format("GET", path)
    end
    request = function()
      turn = turn % #requests + 1
      return requests[turn]
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    "RESULT %d %d %d %d %d",
    summary.requests,
    summary.duration,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50),
    latency:percentile(99)
  ))
end
