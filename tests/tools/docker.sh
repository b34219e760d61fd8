#!/usr/bin/env bash
# Runs a command that needs a Docker engine with Compose and a registry, and stops the engine again
# if this has started it. Exits with 77 where they cannot be had; one line says why.
set -euo pipefail
cd "$(dirname "$0")/../.."

tests/tools/docker_programs.sh
molecule/engine.sh up
trap 'molecule/engine.sh down' EXIT
"$@"
