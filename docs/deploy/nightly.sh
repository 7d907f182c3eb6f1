#!/bin/sh
# The nightly job of README.md ("Every night"): once, or every day at a time and with the console's
# figures every hour.
#
#   nightly.sh               now
#   nightly.sh --at 03:10    every day at ten past three (UTC unless TZ says otherwise), until stopped
set -u

# What is to be forgotten is, also when the training failed; the worse status is the job's.
nightly() {
    worst=0 failed=0
    recommender train --quiet --if-new 500 --promote-if-better --keep 7 || worst=$?
    recommender forget --quiet --older-than 90 || failed=$?
    [ "$failed" -le "$worst" ] || worst=$failed
    return "$worst"
}

seconds_until() {
    now=$(date +%s)
    due=$(date --date "today $1" +%s) || exit 2
    [ "$due" -gt "$now" ] || due=$(date --date "tomorrow $1" +%s)
    echo $((due - now))
}

case "${1-}" in
'')
    nightly
    ;;
--at)
    # As the first process of a container it has to see to its own end. A training that is cut off
    # leaves no bundle behind.
    trap 'kill ${!-} 2>/dev/null; exit 0' TERM INT
    while :; do
        pause=$(seconds_until "${2:?--at needs a time: 03:10}") || exit 2
        echo "next nightly job in $pause seconds"
        while [ "$pause" -gt 3600 ]; do
            sleep 3600 & wait $!
            recommender figures & wait $!
            pause=$(seconds_until "$2")
        done
        sleep "$pause" & wait $!
        # Tomorrow is another day: what went wrong is in the log.
        (nightly) & wait $!
    done
    ;;
*)
    echo "nightly.sh [--at HH:MM]" >&2
    exit 2
    ;;
esac
