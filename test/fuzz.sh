#!/usr/bin/env bash
# Fuzzes every FuzzXxx of the module, one after another (go fuzzes one target a run).
# Usage: test/fuzz.sh [time per target, 10s]
set -euo pipefail
cd "$(dirname "$0")/.."

time_each=${1:-10s}
for package in $(go list ./internal/...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "== ${package#*/internal/} $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time_each" "$package"
	done
done
