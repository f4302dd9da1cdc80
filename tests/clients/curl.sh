#!/bin/sh
# The itinerary of tests/tests/proxy_clients.rs with curl.
# usage: curl.sh URL PAYLOAD: URL is a connector's at the proxy, PAYLOAD a file of 5 MB.
set -eu
url=$1 payload=$2
body=$(mktemp)
trap 'rm -f "$body"' EXIT
call() { curl --silent --show-error --fail --noproxy '*' --header 'X-User: ada' --output "$body" "$@"; }
digest() { sha256sum "$1" | cut -d' ' -f1; }

call "$url/echo?q=a%20b&x=1"
echo "get $(cat "$body")"
call --json '{"n":1}' "$url/echo"
echo "post $(cat "$body")"
call --request PUT --header 'Transfer-Encoding: chunked' --header 'Content-Type: application/octet-stream' \
    --data-binary @"$payload" "$url/echo"
echo "put $(cat "$body")"
call --request POST --header 'Content-Type: application/octet-stream' --data-binary @"$payload" "$url/echo"
echo "upload $(cat "$body")"
call "$url/payload"
echo "download $(digest "$body")"
echo "gzip $(call --header 'Accept-Encoding: gzip' --write-out '%header{content-encoding}' "$url/gzip") $(digest "$body")"
echo "head $(call --head --write-out '%{http_code} %header{content-length}' "$url/payload")"
echo "redirect $(call --location --write-out '%{url_effective}' "$url/go") $(cat "$body")"
# One line for each call: how many connections it took.
echo "connections $(curl --silent --noproxy '*' --header 'X-User: ada' --output /dev/null --output /dev/null --output /dev/null \
    --write-out '%{num_connects}' "$url/echo" "$url/payload" "$url/echo")"
