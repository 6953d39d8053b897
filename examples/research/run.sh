#!/bin/sh
# A research swarm on this machine: a coordinator that plans and writes by a model, and three workers whose agents read.
set -eu
cd "$(dirname "$0")"
. ../swarm.sh
question=${1:-"Which of the two message brokers in these notes fits a team of three people: Lanes or Pipes?"}

play script.yaml
node planner --swarm.role coordinator
for name in reader-1 reader-2 reader-3; do
    node "$name" --swarm.role worker --swarm.capabilities research --swarm.max_concurrent 1
done
joined

picoclaw dispatch "$question" --repo notes --plan model --budget-turns 40
