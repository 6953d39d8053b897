#!/bin/sh
# A research swarm on this machine: a coordinator that plans and writes by a model, and three workers whose agents
# read. Without a model of your own (PICOCLAW_LLM_MODEL) it plays script.yaml: nothing is paid, nothing leaves here.
set -eu
cd "$(dirname "$0")"
question=${1:-"Which of the two message brokers in these notes fits a team of three people: Lanes or Pipes?"}
work=$(mktemp -d)
started=""
trap 'for pid in $started; do kill "$pid" 2>/dev/null || :; done; wait; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

if [ -z "${PICOCLAW_LLM_MODEL:-}" ]; then
    picoclaw fake-llm serve --script script.yaml --port-file "$work/port" >"$work/llm.env" 2>"$work/llm.log" &
    started="$!"
    until grep -q OPENAI_API_KEY "$work/llm.env"; do
        kill -0 "$started" 2>/dev/null || { cat "$work/llm.log"; exit 1; }
        sleep 0.1
    done
    . "$work/llm.env"
fi

# A swarm of its own beside any other: the same server, another H-id.
export PICOCLAW_SWARM_HID=research-example PICOCLAW_SWARM_NATS_EMBEDDED=true
node() {
    picoclaw --swarm.name "$@" --swarm.max_concurrent 1 >"$work/$1.log" 2>&1 &
    started="$started $!"
}
node planner --swarm.role coordinator
for name in reader-1 reader-2 reader-3; do
    node "$name" --swarm.role worker --swarm.capabilities research
done
for name in planner reader-1 reader-2 reader-3; do
    tries=0
    until grep -q "is in swarm" "$work/$name.log"; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || { cat "$work/$name.log"; exit 1; }
        sleep 0.1
    done
done

picoclaw dispatch "$question" --repo notes --plan model --budget-turns 40
