#!/bin/sh
# Speaks to the plugin as the host does: lines of JSON there, lines of JSON back. No network, no waiting.
set -eu
cd "$(dirname "$0")"
failed=0

# said NAME LINE...: what the plugin answers to these lines after the greeting, as one array.
said() {
    {
        echo '{"hello":{"protocol":"1.0","host":"test"}}'
        printf '%s\n' "$@"
    } | ./acme-login.sh | jq -sc .
}

# check WHAT ANSWERS FILTER: whether jq's filter holds for the answers.
check() {
    if printf '%s' "$2" | jq -e "$3" >/dev/null; then
        echo "ok      $1"
    else
        echo "FAILED  $1: $2"
        failed=1
    fi
}

settings='{"login_url":"https://acme.example/login","user":"erp","password":"canary"}'
create='{"create":{"id":1,"profile":1,"type":"acme-login","settings":'$settings'}}'
start='{"start":{"id":2,"profile":1,"conversation":1,"input":{"now":1767225600000,"caller":{}}}}'
prolong='{"start":{"id":2,"profile":1,"conversation":1,"input":{"now":1767225600000,"caller":{},"previous":"s1"}}}'
# answer ID STATUS BODY: what the issuer answers.
answer() {
    printf '{"resume":{"id":%s,"conversation":1,"input":{"now":1767225600000,"event":{"http":{"status":%s,"headers":[],"body":%s}}}}}' \
        "$1" "$2" "$(jq -n --arg body "$3" '$body')"
}
session='{"session":"s2","ttl_seconds":900}'

check 'it says what it is' "$(said '{"manifest":{"id":1}}')" \
    '.[0].hello.name == "acme-login" and .[1].types.types[0].type == "acme-login"'
check 'a login gives a session for as long as the issuer says' "$(said "$create" "$start" "$(answer 3 200 "$session")")" \
    '.[3].step.step.done | .placements == [{place: "header", name: "x-acme-session", value: "s2"}] and .lifetime == {for: 900000}'
check 'a session is prolonged without the password' "$(said "$create" "$prolong" "$(answer 3 200 "$session")")" \
    '(.[2].step.step.need.http | .method == "PUT" and (tojson | contains("canary") | not)) and .[3].step.step.done'
check 'a session that is not prolonged is replaced' \
    "$(said "$create" "$prolong" "$(answer 3 410 '')" "$(answer 4 200 "$session")")" \
    '.[3].step.step.need.http.method == "POST" and .[4].step.step.done'
check 'a refused password is denied and named nowhere' "$(said "$create" "$start" "$(answer 3 403 canary)")" \
    '.[3].step.step.failed | .kind == "denied" and (tojson | contains("canary") | not)'
check 'an empty user is found before anything is sent' \
    "$(said '{"create":{"id":1,"profile":1,"type":"acme-login","settings":{"login_url":"https://acme.example/login","user":"","password":"x"}}}')" \
    '.[1].error.error.field == "user"'
for url in login ftp://acme.example/login http://acme.example/login https://u:p@acme.example/; do
    check "no password goes to $url" \
        "$(said '{"create":{"id":1,"profile":1,"type":"acme-login","settings":{"login_url":"'$url'","user":"erp","password":"x"}}}')" \
        '.[1].error.error.field == "login_url"'
done
exit $failed
