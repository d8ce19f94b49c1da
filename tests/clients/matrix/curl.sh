#!/bin/sh
# One client of the matrix: curl. Usage: curl.sh URL CALLS CONCURRENT SIZE [FIRST]
# One process makes CALLS calls of the API at URL, CONCURRENT at a time, with prompts of SIZE bytes; every second one is streamed. FIRST is
# called once before them by the same process. Prints `ok CALLS`.
set -eu
url=$1 calls=$2 concurrent=$3 size=$4 first=${5:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
head -c "$size" /dev/zero | tr '\0' x > "$folder/filler"
body() {
  printf '{"model":"gpt-4o-mini",%s"messages":[{"role":"user","content":"curl %s äöü ' "$2" "$1"
  cat "$folder/filler"
  printf '"}]}'
}
# One option file: `next` begins another request with options of its own.
one() {
  printf 'url = "%s"\noutput = "%s/answer.%s"\ndata-binary = "@%s/body.%s"\nheader = "content-type: application/json"\nheader = "expect:"\nfail\nsilent\nshow-error\nmax-time = 120\n' \
    "$1" "$folder" "$2" "$folder" "$2"
}
: > "$folder/options"
if [ -n "$first" ]; then
  body first '' > "$folder/body.first"
  one "$first" first >> "$folder/options"
  echo next >> "$folder/options"
fi
number=0
while [ "$number" -lt "$calls" ]; do
  stream=
  [ $((number % 2)) -eq 0 ] || stream='"stream":true,'
  body "$number" "$stream" > "$folder/body.$number"
  [ "$number" -eq 0 ] || echo next >> "$folder/options"
  one "$url" "$number" >> "$folder/options"
  number=$((number + 1))
done
parallel=
[ "$concurrent" -eq 1 ] || parallel="--parallel --parallel-max $concurrent"
# shellcheck disable=SC2086
curl $parallel --config "$folder/options"
number=1
while [ "$number" -lt "$calls" ]; do
  grep -q '\[DONE\]' "$folder/answer.$number"
  number=$((number + 2))
done
echo "ok $calls"
