#!/bin/sh
# fuzz.sh: run every fuzz target for a while, and print a table of what was executed.
#
#   FUZZTIME=30s FUZZONLY=REGEXP FUZZFLAGS='-parallel 1' scripts/fuzz.sh [PACKAGE...]
#
# FUZZTIME is for each target (10s; 1000x is so many executions), FUZZONLY chooses some by name. What a target finds is written below testdata/fuzz of its
# package, where go test takes it as a case from then on; the exit status is 1. A session of the right length finds more:
# an hour of all targets is FUZZTIME=$((3600 / NUMBER))s.
set -u
cd "$(dirname "$0")/.." || exit 2
time=${FUZZTIME:-10s} only=${FUZZONLY:-.} failed=0 targets=0 all=0
log=$(mktemp) || exit 2
trap 'rm -f "$log"' EXIT
trap 'exit 2' INT TERM

printf '%-34s %-22s %6s %13s %9s  %s\n' package target seeds executions found 'in'
# shellcheck disable=SC2086 # lists of words
for package in $(go list ${*:-./...}); do
    dir=$(go list -f '{{.Dir}}' "$package")
    for target in $(cat "$dir"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(f \*testing\.F).*/\1/p' | grep -E "$only"); do
        began=$(date +%s)
        go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 1s ${FUZZFLAGS:-} >"$log" 2>&1
        status=$?
        count=$(sed -n 's/^fuzz: elapsed: .* execs: \([0-9]*\) .*/\1/p' "$log" | tail -1)
        found=$(sed -n 's/^fuzz: elapsed: .* new interesting: \([0-9]*\) .*/\1/p' "$log" | tail -1)
        seeds=$(sed -n 's/^fuzz: .* baseline coverage: [0-9]*\/\([0-9]*\) completed.*/\1/p' "$log" | tail -1)
        printf '%-34s %-22s %6s %13s %9s  %ss' "${package#vbladefs/}" "$target" "${seeds:--}" "${count:-0}" "${found:-0}" $(($(date +%s) - began))
        targets=$((targets + 1)) all=$((all + ${count:-0}))
        if [ $status -ne 0 ]; then
            failed=$((failed + 1))
            echo '  FAILED'
            sed 's/^/    /' "$log"
        else
            echo
        fi
    done
done
echo "$targets targets, $all executions, $failed failed"
[ "$targets" -gt 0 ] || { echo "fuzz.sh: no target is called $only" >&2; exit 2; }
[ $failed -eq 0 ]
