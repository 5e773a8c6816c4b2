#!/usr/bin/env bash
# Installs what the tests run against, or says what is missing. Quick when all is there.
set -euo pipefail
cd "$(dirname "$0")"

node_major=20 # what playwright-core needs

missing() {
	echo "test/prepare.sh: missing: $*" >&2
	exit 1
}

command -v go >/dev/null || missing "Go, see https://go.dev/doc/install"
command -v node >/dev/null || missing "Node.js $node_major or later"
command -v npm >/dev/null || missing "npm, which comes with Node.js"
[ "$(node --print 'parseInt(process.versions.node)')" -ge "$node_major" ] ||
	missing "Node.js $node_major or later (this is $(node --version))"

# Where Debian puts haproxy and redis-server; not in every user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
packages=()
for program in redis-server haproxy chromium curl; do
	command -v "$program" >/dev/null || packages+=("$program")
done
# The race detector needs cgo.
command -v gcc >/dev/null || packages+=(gcc libc6-dev)

if [ ${#packages[@]} -gt 0 ]; then
	command -v apt-get >/dev/null || missing "${packages[*]}"
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null ||
			missing "${packages[*]}; install them: apt-get install --no-install-recommends ${packages[*]}"
		as_root=(sudo -n)
	fi
	install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
		apt-get install --yes --quiet --no-install-recommends)
	# On a fresh machine the package lists are absent or old; only then is it worth the time.
	if ! "${install[@]}" "${packages[@]}"; then
		"${as_root[@]}" apt-get update --quiet
		"${install[@]}" "${packages[@]}"
	fi
fi

if [ ! -e clients/node_modules/.package-lock.json ] ||
	[ clients/package-lock.json -nt clients/node_modules/.package-lock.json ]; then
	# No install scripts: none of these packages needs one.
	(cd clients && npm ci --ignore-scripts --no-audit --no-fund)
fi
