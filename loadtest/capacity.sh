#!/usr/bin/env bash
# The runs behind docs/CAPACITY.md: `make capacity` makes them all and prints what the page says. About a quarter of an
# hour, on a machine that does nothing else. Reports are left in the folder that is given, or in capacity-reports.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-capacity-reports}
mkdir -p "$folder"
loadtest=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/rotunda-loadtest

# A run: its name, then what the harness is told.
run() {
    local name=$1
    shift
    echo "== $name: rotunda-loadtest $*"
    "$loadtest" "$@" --quiet --json "$folder/$name.json" > "$folder/$name.txt"
    head -1 "$folder/$name.txt"
}

# How costs grow: the runs of a series differ in one size.
series() {
    local name=$1
    shift
    echo "== growth: $name"
    local files=()
    for size in "$@"; do files+=("$folder/$name-$size.json"); done
    "$loadtest" growth "${files[@]}"
}

# What one node holds.
run idle idle --spawn --sessions 15000
run idle-3000 idle --spawn --sessions 3000
for number in 1 2 3 4 5; do
    run "fanout-$number" fanout --spawn --pin --seconds 12
done
run saturated fanout --saturate --spawn --pin --seconds 8
run commands commands --spawn --seconds 10
run day day --spawn --sessions 2000 --seconds 30
run storm storm --spawn --sessions 5000 --seconds 10
run flaky flaky --spawn --seconds 30
run slow slow --spawn --seconds 20
run revoke revoke --spawn --seconds 15
run cluster cluster --spawn-cluster 3 --seconds 30

# Sessions: as many practices as it takes, the same work for each session.
for size in 100 1000 10000; do
    run "sessions-$size" day --spawn --sessions "$size" --rate "$((size / 20))" --seconds 10
done
# Recipients of one message.
for size in 10 100 1000; do
    run "recipients-$size" fanout --spawn --pin --sessions "$size" --rate 20 --seconds 8
done
# Organizations: the same sessions and the same work in more of them.
for size in 10 100 1000; do
    run "organizations-$size" day --spawn --sessions 2000 --organizations "$size" --rate 100 --seconds 10
done
# Conversations of one organization.
for size in 100 1000 10000; do
    run "conversations-$size" day --spawn --sessions 40 --organizations 1 --conversations "$size" --rate 50 --seconds 10
done
# Rate.
for size in 10 100 1000; do
    run "rate-$size" day --spawn --sessions 1000 --organizations 100 --rate "$size" --seconds 10
done

series sessions 100 1000 10000
series recipients 10 100 1000
series organizations 10 100 1000
series conversations 100 1000 10000
series rate 10 100 1000
