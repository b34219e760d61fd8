#!/usr/bin/env bash
# Runs molecule with a Docker engine to run on:
#
#   molecule/run.sh test --all        every scenario, from nothing to nothing
#   molecule/run.sh test -s daily     one of them
#   molecule/run.sh create            the hosts, to work with; then 'prepare', 'converge -s daily', 'login --host app' ...
#   molecule/run.sh destroy           and away with them
#
# Exits with 77 where there is no engine and none can be had.
set -euo pipefail
cd "$(dirname "$0")/.."

export PATH=$PWD/.venv/bin:$PATH
export MOLECULE_GLOB='molecule/*/molecule.yml' # a collection's scenarios would else be looked for in extensions/
export MOLECULE_EPHEMERAL_DIRECTORY=$PWD/.cache/molecule
export MOLECULE_COMMAND_BORDERS=false ANSIBLE_FORCE_COLOR=${ANSIBLE_FORCE_COLOR-false}

molecule/engine.sh up

case ${1:-} in
  test)
    # Removes the hosts and stops the engine should this run be killed.
    setsid python -m demo.watchdog --run "${RUNBOOK_RUN_PID:-0}" --then 'molecule/run.sh destroy' \
      "$MOLECULE_EPHEMERAL_DIRECTORY" >/dev/null 2>&1 </dev/null &
    watchdog=$!
    clean_up() {
      molecule destroy >/dev/null 2>&1 || echo "The hosts could not be destroyed; try 'molecule/run.sh destroy'." >&2
      molecule/engine.sh down
      kill "$watchdog" 2>/dev/null || true
    }
    trap clean_up EXIT
    trap 'exit 130' INT TERM HUP
    molecule destroy --no-report >/dev/null 2>&1 || true # what a killed run left behind
    molecule "$@"
    ;;
  destroy)
    molecule "$@"
    molecule/engine.sh down
    ;;
  *)
    exec molecule "$@"
    ;;
esac
