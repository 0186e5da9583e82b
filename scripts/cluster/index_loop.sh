#!/usr/bin/env bash
# A planned job by several processes of this machine: the same as a cluster's tasks.
#
#   bulkload plan SOURCE --parts 16 --job JOB
#   scripts/cluster/index_loop.sh JOB 4
#
# Ends with the largest exit code of its tasks; run it again to go on.
set -u
job=$1
tasks=$2

children=()
for ((index = 0; index < tasks; index++)); do
    ${BULKLOAD:-bulkload} upload "$job" --shard "$index/$tasks" --lanes 1 \
        --workers "${WORKERS:-1}" --quiet &
    children+=("$!")
done
trap 'kill -TERM "${children[@]}" 2>/dev/null' INT TERM

worst=0
for child in "${children[@]}"; do
    wait "$child"
    code=$?
    while kill -0 "$child" 2>/dev/null; do
        wait "$child"
        code=$?
    done
    [ "$code" -gt "$worst" ] && worst=$code
done
exit "$worst"
