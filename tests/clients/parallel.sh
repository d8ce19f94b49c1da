#!/bin/sh
# Runs curl CALLS times, CONCURRENCY processes at a time: parallel.sh URL CALLS CONCURRENCY
set -eu
seq "$2" | xargs -P "$3" -I NUMBER curl --silent --show-error --fail --max-time 60 --output /dev/null \
  --header 'content-type: application/json' --header 'authorization: Bearer sk-test-secret' \
  --data '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"curl NUMBER"}]}' \
  "$1/v1/chat/completions"
