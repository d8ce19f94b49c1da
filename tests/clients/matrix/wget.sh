#!/bin/sh
# One client of the matrix: wget. Usage: wget.sh URL CALLS CONCURRENT SIZE [FIRST]
# Makes CALLS calls of the API at URL with prompts of SIZE bytes: one process that makes them one after the other, or CONCURRENT processes at
# a time, since wget itself does one thing at a time. FIRST is called once before them by the same process. Prints `ok CALLS`.
set -eu
url=$1 calls=$2 concurrent=$3 size=$4 first=${5:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
{
  printf '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"wget äöü '
  head -c "$size" /dev/zero | tr '\0' x
  printf '"}]}'
} > "$folder/body"
fetch() {
  wget --quiet --tries=1 --timeout=120 --ca-certificate="$SSL_CERT_FILE" --header='content-type: application/json' \
    --post-file="$folder/body" --output-document=- "$@" >> "$folder/answers"
}
if [ "$concurrent" -eq 1 ]; then
  set --
  [ -z "$first" ] || set -- "$first"
  number=0
  while [ "$number" -lt "$calls" ]; do
    set -- "$@" "$url"
    number=$((number + 1))
  done
  fetch "$@"
else
  begun=0
  while [ "$begun" -lt "$calls" ]; do
    pids=
    for _ in $(seq "$concurrent"); do
      [ "$begun" -lt "$calls" ] || break
      fetch "$url" &
      pids="$pids $!"
      begun=$((begun + 1))
    done
    for pid in $pids; do wait "$pid"; done
  done
fi
echo "ok $calls"
