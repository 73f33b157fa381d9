#!/bin/sh
# Keeps one server for a test: starts it, ends it when told to, and never outlives the test process.
#
#   keeper.sh FOLDER SIGNAL group|leader PROGRAM [ARGUMENT]...
#
# Standard input is a pipe from the test process. A line with the name of a signal ends the server by that signal; the end
# of the pipe, which comes however the test process dies, ends it by SIGNAL and removes its folder. Signals go to the server's
# whole process group or to its leader alone, whichever ends it fastest without leaving children that nobody waits for.
folder=$1 signal=$2 whom=$3
shift 3
cd "$folder" || exit 1
setsid "$@" </dev/null >>"$folder/output" 2>&1 &
server=$!
echo "$server"
exec >/dev/null
trap '' HUP INT TERM

# A server that has ended stays as a zombie until it is waited for below: then it doesn't count as running.
running() {
  read -r stat 2>/dev/null <"/proc/$server/stat" || return 1
  case ${stat##*') '} in Z* | X*) return 1 ;; esac
}

if read -r order; then signal=$order; fi
if running; then
  case $whom in
    group) kill -s "$signal" -- "-$server" ;;
    *) kill -s "$signal" "$server" ;;
  esac
  tries=0
  while running && [ "$tries" -lt 300 ]; do
    sleep 0.01
    tries=$((tries + 1))
  done
fi
kill -s KILL -- "-$server"
wait "$server"
[ -n "$order" ] && exit 0

cd / || exit 1
tries=0
until rm -rf "$folder" || [ "$tries" -ge 50 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
