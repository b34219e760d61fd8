#!/usr/bin/env bash
# The Docker engine that the staging hosts run on.
#
#   molecule/engine.sh check   says whether one answers
#   molecule/engine.sh up      takes the one that answers; else starts one, installing it where it is missing
#                              (as root, on a system with apt)
#   molecule/engine.sh down    stops the one that 'up' started, once no container is left on it; leaves any other alone
#
# Exits with 77 where there is no engine and none can be had; one line says why.
set -euo pipefail

readonly NONE=77
readonly PID_FILE=/run/gpt-agent-runbook-engine.pid
readonly LOG_FILE=/var/log/gpt-agent-runbook-engine.log
# What the engine changes on the machine beyond its own files, as it was before.
readonly BEFORE=/run/gpt-agent-runbook-engine.before

answers() { command -v docker >/dev/null && docker version >/dev/null 2>&1; }

impossible() {
  echo "No Docker engine: $*" >&2
  exit "$NONE"
}

install_packages() {
  command -v apt-get >/dev/null || impossible "dockerd is not installed and there is no apt-get to install it; install Docker."
  echo "Installing a Docker engine ..."
  export DEBIAN_FRONTEND=noninteractive
  local log
  log=$(mktemp)
  if ! { apt-get -qq update && apt-get -qq install --yes --no-install-recommends docker.io; } >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    impossible "apt-get could not install docker.io, see above."
  fi
  # Later releases of Debian and Ubuntu have the client in a package of its own.
  command -v docker >/dev/null || apt-get -qq install --yes --no-install-recommends docker-cli >"$log" 2>&1 || true
  rm -f "$log"
}

running_pid() { # the process that 'up' started, if it still runs
  local pid
  pid=$(cat "$PID_FILE" 2>/dev/null) && [[ -n $pid ]] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -- "--pidfile $PID_FILE" && echo "$pid"
}

start() {
  # No default bridge: the hosts have a network of their own, and nothing is left when that is gone.
  { cat /proc/sys/net/ipv4/ip_forward; iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p'; } >"$BEFORE"
  setsid dockerd --pidfile "$PID_FILE" --bridge none >"$LOG_FILE" 2>&1 </dev/null &
  for _ in $(seq 120); do
    answers && return
    kill -0 $! 2>/dev/null || break
    sleep 0.25
  done
  tail -n 5 "$LOG_FILE" >&2
  stop
  impossible "dockerd does not start here, see above and $LOG_FILE."
}

stop() {
  local pid
  pid=$(running_pid) || true
  if [[ -n ${pid:-} ]]; then
    kill "$pid"
    for _ in $(seq 120); do
      [[ -d /proc/$pid ]] || break
      sleep 0.25
    done
    [[ ! -d /proc/$pid ]] || kill -KILL "$pid"
  fi
  forget_firewall
  rm -f "$PID_FILE" "$BEFORE" "$LOG_FILE"
}

forget_firewall() { # a stopped engine leaves its chains, and FORWARD closed for everyone
  [[ -s $BEFORE ]] || return 0
  local forward policy table chain
  { read -r forward; read -r policy; } <"$BEFORE" || true
  for table in filter nat raw; do
    iptables -w -t "$table" -S 2>/dev/null | sed -n '/-j DOCKER/s/^-A/-D/p' | while read -r rule; do
      # shellcheck disable=SC2086
      iptables -w -t "$table" $rule 2>/dev/null || true
    done
    for chain in $(iptables -w -t "$table" -S 2>/dev/null | sed -n 's/^-N \(DOCKER.*\)/\1/p'); do
      iptables -w -t "$table" -F "$chain"
      iptables -w -t "$table" -X "$chain"
    done
  done
  [[ -z ${policy:-} ]] || iptables -w -P FORWARD "$policy"
  [[ -z ${forward:-} ]] || echo "$forward" >/proc/sys/net/ipv4/ip_forward
}

case ${1:-} in
  check)
    answers || impossible "none answers."
    ;;
  up)
    if answers; then exit 0; fi
    [[ $(id -u) == 0 ]] || impossible "none answers, and only root can start one. Start Docker, or be in its group."
    command -v dockerd >/dev/null || install_packages
    # Where a service manager runs, the package may have started it.
    if answers; then exit 0; fi
    start
    ;;
  down)
    running_pid >/dev/null || exit 0
    if [[ -n $(docker ps --all --quiet) ]]; then
      echo "The Docker engine stays: it has other containers."
    else
      stop
    fi
    ;;
  *)
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
