#!/usr/bin/env bash
# ansible-test sanity and galaxy-importer, on the artifact as users install it.
# ansible-test refuses the links to folders that the checkout has under collections/.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
MAKEFLAGS="" make build
artifact=$(ls "$root"/build/artifact/*.tar.gz)
work=$root/build/sanity
rm -rf "$work"
mkdir -p "$work"
ansible-galaxy collection install --force --collections-path "$work" "$artifact" >/dev/null 2>&1
installed=$work/ansible_collections/gpt_agent/runbook
mkdir -p "$installed/tests/sanity"
cp tests/config.yml "$installed/tests/"
cp tests/sanity/ignore-*.txt "$installed/tests/sanity/" 2>/dev/null || true

# A home of its own, kept between runs: ansible-test's environments, and the pip bootstrap it would download.
home=$root/.cache/ansible-test
mkdir -p "$home/.ansible/test/cache"
version=$(python -c 'import inspect, re
from ansible_test._internal import python_requirements as p
print(re.search(r"pip=.([\d.]+)", inspect.getsource(p.get_venv_packages)).group(1).replace(".", "_"))')
cp tests/tools/get_pip.py "$home/.ansible/test/cache/get_pip_$version.py"
for config in "${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf" "$HOME/.pip/pip.conf"; do
  if [ -z "${PIP_CONFIG_FILE:-}" ] && [ -f "$config" ]; then export PIP_CONFIG_FILE=$config; fi
done

log=$root/build/sanity.log
cd "$installed"
# A git tree of its own: else ansible-test asks the checkout's, which ignores build/.
git init --quiet .
echo /tests/output/ >.git/info/exclude
if ! HOME=$home LC_ALL=C.UTF-8 ansible-test sanity --test validate-modules --test pylint --test pep8 --color no --venv --python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')" \
  >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
echo "ansible-test sanity: $(grep -c '^Running sanity test' "$log") tests passed"

cd "$work"
if ! GALAXY_IMPORTER_CONFIG=$root/tests/tools/galaxy-importer.cfg python -m galaxy_importer.main "$artifact" >"$root/build/importer.log" 2>&1 \
  || grep -E '^(ERROR|WARNING)' "$root/build/importer.log"; then
  cat "$root/build/importer.log" >&2
  exit 1
fi
echo "galaxy-importer: passed"
