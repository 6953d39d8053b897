# Read by the examples: a swarm of their own on this machine, in processes of its own, gone when the script ends.
# Without a model of your own (PICOCLAW_LLM_MODEL) a script plays the model: nothing is paid, nothing leaves here.
work=$(mktemp -d)
started=""
trap 'for pid in $started; do kill "$pid" 2>/dev/null || :; done; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Beside any other swarm of yours: the same server, another H-id.
export PICOCLAW_SWARM_HID="${PWD##*/}-example" PICOCLAW_SWARM_NATS_EMBEDDED=true

# wait_for PID TEXT FILE: until the process has written the text.
wait_for() {
    tries=0
    until grep -qs "$2" "$3"; do
        tries=$((tries + 1))
        { [ "$tries" -lt 600 ] && kill -0 "$1"; } || { cat "$3" >&2; exit 1; }
        sleep 0.1
    done
}

# play SCRIPT: a model server that plays it, and the variables by which a swarm asks it.
play() {
    [ -z "${PICOCLAW_LLM_MODEL:-}" ] || return 0
    picoclaw fake-llm serve --script "$1" >"$work/llm.env" 2>"$work/llm.log" &
    started="$started $!"
    wait_for $! OPENAI_API_KEY "$work/llm.env"
    . "$work/llm.env"
}

# node NAME FLAG...: a node, in a process of its own.
node() {
    picoclaw --swarm.name "$@" >"$work/$1.log" 2>&1 &
    started="$started $!"
    nodes="${nodes:-} $!:$1"
}

# joined: until every node is in the swarm.
joined() {
    for each in $nodes; do
        wait_for "${each%%:*}" "is in swarm" "$work/${each#*:}.log"
    done
}
