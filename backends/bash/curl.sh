#!/usr/bin/env bash
# Tells pages and jobs how far a script is, with curl (apt-get install curl).
#
#   curl.sh feedback UUID TEXT    tells the page that has this uuid
#   curl.sh broadcast TEXT        tells every page
#   curl.sh progress UUID         tells the page 0 to 100 %
#   curl.sh open TITLE            opens a job and prints its id
#   curl.sh job ID FILE...        does the work of the job: adds up the sizes of files
#
# WEBSOCK_URL is the daemon, http://localhost:8096 if it is not set; WEBSOCK_KEY the backend's key, or a ticket.
# It ends with 0, or says why not and ends with 1.
set -euo pipefail

fail() {
  echo "curl.sh: $1" >&2
  exit 1
}

# What an answer says in its last `error`, or all of it.
error() {
  if [[ $1 =~ .*\"error\":\"([^\"]*)\" ]]; then echo "${BASH_REMATCH[1]}"; else echo "$1"; fi
}

# Sends one packet to a resource: post PATH FIELD=TEXT...  Its `next` is then $answer.
post() {
  local path=$1 args=() field
  for field in "${@:2}"; do args+=(--data-urlencode "$field"); done
  # The key is read from a pipe: a command line can be seen by others. The Idempotency-Key lets curl try again, as
  # it does while the daemon restarts, and yet be heard once.
  answer=$(curl -sS --fail-with-body --max-time 30 --retry 2 --retry-connrefused \
    -H @<(printf '%s' "${WEBSOCK_KEY:+Authorization: Bearer $WEBSOCK_KEY}") \
    -H "Idempotency-Key: \"$(cat /proc/sys/kernel/random/uuid)\"" \
    "${args[@]}" "${WEBSOCK_URL:-http://localhost:8096}$path") || fail "$(error "${answer:-not sent}")"
  answer=${answer%%,\"packets\":*}
  [[ $answer != *\"error\":* ]] || fail "$(error "$answer")"
}

delivered() {
  [[ $answer =~ \"delivered\":([0-9]+) ]] && echo "delivered: ${BASH_REMATCH[1]}"
}

# The work of a job, which says how far it is.
add_up() {
  local job=$1 sum=0 count=0 size file
  shift
  for file in "$@"; do
    if ! size=$(wc -c <"$file"); then
      post /jobs opcode=failed "job=$job" "text=$file cannot be read"
      fail "$file cannot be read"
    fi
    sum=$((sum + size)) count=$((count + 1))
    post /jobs opcode=log "job=$job" "text=$file: $size bytes"
    post /jobs opcode=progress "job=$job" "percent=$((count * 100 / $#))" "text=$sum bytes"
  done
  post /jobs opcode=done "job=$job" "text=$sum bytes in all"
}

case ${1:-} in
  feedback)
    post /php opcode=feedback "uuid=$2" "message=$3"
    delivered
    ;;
  broadcast)
    post /php opcode=broadcast "message=$2"
    delivered
    ;;
  progress)
    for percent in 0 25 50 75 100; do
      # Here is your work.
      post /php opcode=feedback "uuid=$2" "percent=$percent" "message=$percent %"
    done
    ;;
  open)
    post /jobs opcode=open "title=$2"
    [[ $answer =~ \"job\":\"([0-9a-f-]{36})\" ]] && echo "${BASH_REMATCH[1]}"
    ;;
  job)
    add_up "${@:2}"
    ;;
  *)
    fail 'feedback, broadcast, progress, open or job?'
    ;;
esac
