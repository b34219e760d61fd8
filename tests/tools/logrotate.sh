#!/usr/bin/env bash
# Prints the path of logrotate: the one that is installed, or this Debian's own, unpacked below
# .cache/logrotate and not installed. Exits with 77 where it cannot be had; one line says why.
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly NONE=77
readonly TARGET=$PWD/.cache/logrotate

impossible() {
  echo "No logrotate to test with: $*" >&2
  exit "$NONE"
}

PATH=$PATH:/usr/sbin:/sbin
if command -v logrotate; then exit 0; fi
if [[ ! -e $TARGET/complete ]]; then
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || impossible "there is no apt-get; install logrotate."
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$work/lists/partial" "$work/archives/partial" "$TARGET"
  options=(
    -qq -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=
    -o Acquire::Languages=none
  )
  echo "Fetching logrotate ..." >&2
  (
    cd "$work"
    apt-get "${options[@]}" update && apt-get "${options[@]}" download logrotate libpopt0
  ) >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    impossible "apt-get could not download it, see above."
  }
  for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$TARGET"; done
  libraries=$(dirname "$(echo "$TARGET"/usr/lib/*/libpopt.so.0)")
  cat >"$TARGET/logrotate" <<END
#!/bin/sh
LD_LIBRARY_PATH='$libraries' exec '$TARGET/usr/sbin/logrotate' "\$@"
END
  chmod 755 "$TARGET/logrotate"
  "$TARGET/logrotate" --version >/dev/null 2>&1 || impossible "the one of this Debian does not run when it is only unpacked."
  touch "$TARGET/complete"
fi
echo "$TARGET/logrotate"
