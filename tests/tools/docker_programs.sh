#!/usr/bin/env bash
# Fetches what the tests of releases under Docker Compose need beside an engine: Compose v2, a
# registry, and a program that fits into an empty image. They are unpacked below .cache/docker, not
# installed. Exits with 77 where they cannot be had; one line says why.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly NONE=77
readonly TARGET=$PWD/.cache/docker
# Compose v2 is a static program; Debian has it since this release.
readonly RELEASE=trixie
readonly KEYS=/usr/share/keyrings/debian-archive-keyring.gpg

impossible() {
  echo "No Compose and registry to test with: $*" >&2
  exit "$NONE"
}

[[ ! -e $TARGET/complete ]] || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || impossible "there is no apt-get."
[[ -e $KEYS ]] || impossible "Debian's keys are not installed ($KEYS)."
# The mirror that this machine uses for itself.
mirror=$(grep -hoE '^(URIs: |deb (\[[^]]*\] )?)https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
  grep -oE 'https?://[^ ]+' | head -1) || true
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$TARGET"
echo "deb [signed-by=$KEYS] ${mirror:-http://deb.debian.org/debian} $RELEASE main" >"$work/sources.list"
options=(
  -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache=$work" -o APT::Sandbox::User= -o Acquire::Languages=none
)
echo "Fetching Compose and a registry ..."
cd "$work"
{ apt-get "${options[@]}" update && apt-get "${options[@]}" download docker-compose docker-registry busybox-static; } >log 2>&1 || {
  cat log >&2
  impossible "apt-get could not download them, see above."
}
for package in ./*.deb; do dpkg-deb --extract "$package" "$TARGET"; done
touch "$TARGET/complete"
