#!/usr/bin/env escript
%% The same in Erlang: processes of one node, which are to it what VMs are here.
%%   crowd COUNT          microseconds for each process that is made and has answered; and they stay
%%   pingpong COUNT       microseconds for a message there and back
%%   ring SIZE COUNT      microseconds for each time the token is passed
%%   fan_in SENDERS COUNT microseconds for each message
%% ERL_FLAGS='+S 1' leaves it one thread for them.
-mode(compile).

main([What | Numbers]) ->
  Result = run(What, [list_to_integer(N) || N <- Numbers]),
  io:format("~s~n", [lists:join(" ", [io_lib:format("~.3f", [float(R)]) || R <- Result])]).

timed(Count, Work) ->
  Start = erlang:monotonic_time(nanosecond),
  Work(),
  (erlang:monotonic_time(nanosecond) - Start) / Count / 1000.

collect(0, Sum) -> Sum;
collect(Left, Sum) -> receive N when is_integer(N) -> collect(Left - 1, Sum + N) end.

run("crowd", [Count]) ->
  Home = self(),
  Time = timed(max(Count, 1), fun() ->
    All = [spawn(fun() -> waiting() end) || _ <- lists:seq(1, Count)],
    [P ! Home || P <- All],
    collect(Count, 0)
  end),
  io:format("~.3f~n", [Time]),
  receive after 60000 -> [] end;
run("pingpong", [Count]) ->
  Other = spawn(fun() -> echo() end),
  trips(Other, Count div 10),
  [timed(Count, fun() -> trips(Other, Count) end)];
run("ring", [Size, Count]) ->
  Home = self(),
  First = spawn(fun() -> receive {next, Next} -> pass(Next, Home) end end),
  Last = lists:foldl(fun(_, Next) -> spawn(fun() -> pass(Next, Home) end) end, First, lists:seq(2, Size)),
  First ! {next, Last},
  [timed(Count, fun() -> First ! Count, receive done -> ok end end)];
run("fan_in", [Senders, Count]) ->
  Home = self(),
  All = [spawn(fun() -> receive go -> [Home ! I || I <- lists:seq(1, Count)] end end) || _ <- lists:seq(1, Senders)],
  Time = timed(Senders * Count, fun() ->
    [P ! go || P <- All],
    Sum = collect(Senders * Count, 0),
    Sum = Senders * Count * (Count + 1) div 2
  end),
  [Time].

waiting() ->
  receive Home -> Home ! 1 end,
  receive stop -> ok end.

echo() -> receive {From, N} -> From ! N, echo() end.

trips(_, 0) -> ok;
trips(Other, Left) ->
  Other ! {self(), Left},
  receive Left -> trips(Other, Left - 1) end.

pass(Next, Home) ->
  receive
    0 -> Home ! done;
    Left -> Next ! Left - 1, pass(Next, Home)
  end.
