#!/bin/sh
# Python functions beside an agent: one adds up, the agent writes, another one checks what it wrote.
set -eu
cd "$(dirname "$0")"
. ../swarm.sh

play script.yaml
node lead --swarm.role coordinator
node hand --swarm.role worker --capabilities.path capabilities.yaml
joined

picoclaw workflows run ./workflow.yaml --input sales=@sales.csv
