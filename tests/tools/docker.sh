#!/usr/bin/env bash
# Runs a command that needs a Docker engine with Compose and a registry:
#
#   tests/tools/docker.sh COMMAND …               exits with 77 where they cannot be had; one line says why
#   tests/tools/docker.sh --or-without COMMAND …  runs the command all the same
#
# An engine that this has started is stopped again.
set -euo pipefail
cd "$(dirname "$0")/../.."

clean_up() { # what a killed test has left, and the engine
  docker ps --all --quiet --filter name=runbook-test- | xargs -r docker rm --force --volumes
  docker network ls --quiet --filter name=runbook-test- | xargs -r docker network rm
  molecule/engine.sh down
}

anyway=
if [[ ${1:-} == --or-without ]]; then
  anyway=yes
  shift
fi
code=0
tests/tools/docker_programs.sh && molecule/engine.sh up || code=$?
[[ $code == 0 || -n $anyway ]] || exit "$code"
[[ $code != 0 ]] || trap clean_up EXIT
"$@"
