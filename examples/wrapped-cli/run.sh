#!/bin/sh
# Programs as agents and tools: a command as a capability, and a coding CLI that an agent hands work to.
set -eu
cd "$(dirname "$0")"
. ../swarm.sh

if [ -z "${PICOCLAW_LLM_MODEL:-}" ]; then
    # No model of your own, so no `claude` either: a stand-in that speaks its JSON.
    export PATH="$PWD/bin:$PATH"
fi
cp -R app "$work/app"
play script.yaml
node lead --swarm.role coordinator
node hand --swarm.role worker --capabilities.path capabilities.yaml --agents.path agents
joined

echo "--- the command alone, without a model"
picoclaw dispatch "$(cat app/app.log)" --capability log-levels
echo "--- an agent that hands work to the command and to claude"
picoclaw dispatch "What went wrong in app.log, and how is it mended?" --agent oncall --repo "$work/app"
picoclaw result last --artifacts "$work/out" >"$work/result"
cat "$work/out/task/changes.patch"
