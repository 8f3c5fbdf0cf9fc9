%% Evaluated inside the broker at each of its starts, by ./start: opens MQTT when nothing that it confirms can be lost.
%%
%% Waits until every stream and every quorum queue can be declared passively and has a leader that lives, and then enables
%% rabbitmq_mqtt. While one of them is not up, MQTT stays closed, with no limit, and every 10 s the log says which: what
%% devices keep is safe with them, and what they would send to that queue is not safe here. The exchange that MQTT publishes
%% to must have bindings by then, or must not be there, as on a new broker: publishing to it ends the connection unconfirmed.

LogEveryMs = 10000,
PollMs = 20,
Whole = os:getenv("SENSOR_SERVICES_PLUGINS"),
InUse = os:getenv("RABBITMQ_ENABLED_PLUGINS_FILE"),

Names = fun(Resources) -> lists:join(", ", [rabbit_misc:rs(Resource) || Resource <- Resources]) end,

%% A queue that was declared less than about 2 s before the node was killed may not be on record with Ra. RabbitMQ then
%% starts its member as a new one, and a single member that was started so elects no leader of its own accord (4.0.5).
Elect = fun
    (Member, #{nodes := [Node]}) when Node =:= node() -> ra:trigger_election(Member, 5000);
    (_, _) -> several_members_elect_among_themselves
end,

%% The writer of a stream, which is on record from before the restart until a new one is elected.
Lives = fun(Pid) -> is_pid(Pid) andalso rpc:call(node(Pid), erlang, is_process_alive, [Pid], 5000) =:= true end,

HasLeader = fun(Queue) ->
    case amqqueue:get_type(Queue) of
        rabbit_stream_queue -> Lives(amqqueue:get_pid(Queue));
        rabbit_quorum_queue ->
            Member = amqqueue:get_pid(Queue),
            case ra:members(Member, 5000) of
                {ok, _, {_, _}} -> true;
                _ -> Elect(Member, amqqueue:get_type_state(Queue)), false
            end
    end
end,

%% What queue.declare with `passive` does, then the leader as the queue is on record by then.
IsUp = fun(Durable) ->
    try
        rabbit_amqqueue:with(amqqueue:get_name(Durable), fun(Queue) ->
            {ok, _, _} = rabbit_amqqueue:stat(Queue),
            HasLeader(Queue)
        end) =:= true
    catch
        _:_ -> false
    end
end,

%% Classic queues are recovered before the broker is up.
Down = fun() ->
    [Queue || Queue <- rabbit_amqqueue:list_durable(),
              lists:member(amqqueue:get_type(Queue), [rabbit_stream_queue, rabbit_quorum_queue]),
              not IsUp(Queue)]
end,

%% compose's users come with an exchange that has no bindings before the registry was there.
Unbound = fun() ->
    {ok, Name} = application:get_env(rabbitmq_mqtt, exchange),
    Exchanges = [rabbit_misc:r(Host, exchange, Name) || Host <- rabbit_vhost:list_names()],
    [Exchange || Exchange <- Exchanges,
                 element(1, rabbit_exchange:lookup(Exchange)) =:= ok,
                 rabbit_binding:list_for_source(Exchange) =:= []]
end,

%% Gives what is in the way, or `none` when MQTT is open.
Try = fun() ->
    try rabbit:is_running() andalso {Down(), Unbound()} of
        false -> "the broker is not up yet";
        {[], []} ->
            New = InUse ++ ".new",
            {ok, _} = file:copy(Whole, New),
            ok = file:rename(New, InUse),
            {ok, _, _} = rabbit_plugins:ensure(InUse),
            none;
        {[], Exchanges} -> ["no bindings, the registry makes them: ", Names(Exchanges)];
        {Queues, _} -> ["not up: ", Names([amqqueue:get_name(Queue) || Queue <- Queues])]
    catch
        Kind:Reason -> io_lib:format("~0p:~0p", [Kind, Reason])
    end
end,

Now = fun() -> erlang:monotonic_time(millisecond) end,

Wait = fun Wait(Begun, LogAt) ->
    case {Try(), Now()} of
        {none, Time} ->
            logger:notice("MQTT opened ~b ms after the start: all streams and quorum queues are up", [Time - Begun]);
        {Reason, Time} when Time >= LogAt ->
            logger:error("MQTT stays closed after ~b s: ~ts", [(Time - Begun) div 1000, Reason]),
            Wait(Begun, Time + LogEveryMs);
        _ ->
            timer:sleep(PollMs),
            Wait(Begun, LogAt)
    end
end,

spawn(fun() -> Wait(Now(), Now() + LogEveryMs) end),
ok.
