#!/usr/bin/env bash
# Keeps some of what fuzzing has found interesting, with the code, so that every run of the tests
# begins there: for each target so many files, drawn evenly from those of a moderate size.
# Usage: test/corpus.sh [files per target, 16]; after test/fuzz.sh
set -euo pipefail
cd "$(dirname "$0")/.."

most=${1:-16}
cache=$(go env GOCACHE)/fuzz/$(go list -m)
for target in "$cache"/internal/*/Fuzz*/ "$cache"/internal/*/*/Fuzz*/; do
	[ -d "$target" ] || continue
	kept=${target#"$cache"/}
	kept=$(dirname "$kept")/testdata/fuzz/$(basename "$kept")
	mkdir -p "$kept"
	find "$target" -type f -size -2k | sort | awk -v most="$most" '
		{ all[NR] = $0 }
		END { step = NR > most ? NR / most : 1; for (at = 1; at <= NR; at += step) print all[int(at)] }
	' | xargs --no-run-if-empty cp --target-directory="$kept"
done
