#!/usr/bin/env bash
# Fuzzes every FuzzXxx of the module, one after another (go fuzzes one target a run).
# Usage: test/fuzz.sh [time per target, 10s]
set -euo pipefail
cd "$(dirname "$0")/.."

time_each=${1:-10s}
packages=$(go list ./internal/...)
for package in $packages; do
	listing=$(go test -list '^Fuzz' "$package") # fails when the package does not compile
	for target in $(grep '^Fuzz' <<<"$listing" || true); do
		echo "== ${package#*/internal/} $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time_each" -fuzzminimizetime 10x "$package"
	done
done
