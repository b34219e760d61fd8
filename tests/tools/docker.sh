#!/usr/bin/env bash
# Runs a command that needs a Docker engine with Compose and a registry:
#
#   tests/tools/docker.sh COMMAND …               exits with 77 where they cannot be had; one line says why
#   tests/tools/docker.sh --or-without COMMAND …  runs the command all the same
#
# An engine that this has started is stopped again.
set -euo pipefail
cd "$(dirname "$0")/../.."

anyway=
if [[ ${1:-} == --or-without ]]; then
  anyway=yes
  shift
fi
code=0
tests/tools/docker_programs.sh && molecule/engine.sh up || code=$?
[[ $code == 0 || -n $anyway ]] || exit "$code"
[[ $code != 0 ]] || trap 'molecule/engine.sh down' EXIT
"$@"
