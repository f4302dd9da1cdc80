#!/bin/sh
# Acme's login endpoint as a Countersign profile type: a user and a password for a session, which each request carries.
# jq reads the host's lines, one by one, and answers each; `.profiles` and `.talks` are what it remembers between them.
# No secret is ever an argument of a program.
exec jq -nc --unbuffered '
def type: {
  type: "acme-login",
  summary: "Acme\u0027s login endpoint: a user and a password for a session",
  schema: {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    properties: {
      login_url: {description: "Acme\u0027s login endpoint.", type: "string"},
      user: {description: "The technical user.", type: "string"},
      password: {description: "Its password.", type: "string", writeOnly: true}
    },
    required: ["login_url", "user", "password"],
    additionalProperties: false
  }
};
def say($name; $fields): .say = {($name): ({id: .ask.id} + $fields)};
def fail($error): say("error"; {error: $error});
def step($step): say("step"; {step: $step});
def over($step): step($step) | del(.talks[.ask.conversation | tostring]);
def http($method; $url; $headers; $body):
  {need: {http: {method: $method, url: $url, headers: ($headers | to_entries | map({name: .key, value})), body: $body}}};

# Whether a password may go there: https, or plain http on this machine; no user before the host.
def is_safe_url: test("^(https://[^/?#@]+|http://(localhost|127[.]0[.]0[.]1|\\[::1\\])(:[0-9]+)?)([/?#]|$)");

# The password is sent; the host checked the settings against the schema.
def login($talk):
  .profiles[$talk.profile | tostring] as $settings
  | .talks[.ask.conversation | tostring] = ($talk + {prolongs: false})
  | step(http("POST"; $settings.login_url; {"content-type": "application/json"};
      {password: $settings.password, user: $settings.user} | tojson));

# A session that is about to end is prolonged; only if Acme refuses that, the password is sent again.
def start:
  {profile: .ask.profile} as $talk | .ask.input.previous as $previous
  | if .profiles[$talk.profile | tostring] == null then fail({kind: "internal", message: "no such profile"})
    elif $previous == null then login($talk)
    else .talks[.ask.conversation | tostring] = ($talk + {prolongs: true})
      | step(http("PUT"; .profiles[$talk.profile | tostring].login_url; {"x-acme-session": $previous}; "")) end;

def answered($talk; $answer):
  $answer.status as $status
  | ($answer.headers // [] | map(select(.name == "retry-after").value | tonumber? * 1000)[0]) as $wait
  | ([try ($answer.body | fromjson | select((.session | strings) and (.ttl_seconds | numbers))) catch null][0]) as $session
  | if $status < 200 or $status >= 300 then
      (if $status == 429 then "rate-limited"
        elif $status >= 500 or $status == 408 or $status < 400 then "unavailable" else "denied" end) as $kind
      | over({failed: ({kind: $kind, message: "answered with status \($status)"}
          + if $wait then {retry_after_ms: $wait} else {} end)})
    elif $session == null then over({failed: {kind: "unavailable", message: "the answer\u0027s body is not a session"}})
    else over({done: {
      placements: [{place: "header", name: "x-acme-session", value: $session.session}],
      lifetime: {for: ($session.ttl_seconds * 1000 | floor)},
      renewal: $session.session
    }}) end;

def resume:
  .talks[.ask.conversation | tostring] as $talk | .ask.input.event as $event
  | if $talk == null then fail({kind: "internal", message: "no such conversation"})
    elif $event.failed then over({failed: $event.failed})
    elif $talk.prolongs and ($event.http.status < 200 or $event.http.status >= 300) then login($talk)
    else answered($talk; $event.http) end;

foreach (inputs | to_entries[0]) as {key: $message, value: $ask} ({};
  .ask = $ask | .say = null
  | if $message == "hello" then .say = {hello: {protocol: "1.0", name: "acme-login", version: "1.0.0"}}
    elif $message == "manifest" then say("types"; {types: [type]})
    elif $message == "create" and $ask.settings.user == "" then
      fail({kind: "config", message: "is empty; name Acme\u0027s technical user", field: "user"})
    elif $message == "create" and ($ask.settings.login_url | is_safe_url | not) then
      fail({kind: "config", message: "is not an https URL; plain http is for loopback", field: "login_url"})
    elif $message == "create" then .profiles[$ask.profile | tostring] = $ask.settings | say("created"; {inputs: {}})
    elif $message == "start" then start
    elif $message == "resume" then resume
    elif $message == "cancel" then del(.talks[$ask.conversation | tostring])
    elif $message == "forget" then del(.profiles[$ask.profile | tostring])
    elif ($ask | objects | .id) then fail({kind: "unsupported", message: "this plugin does not know the message"})
    else . end;
  .say | values)
'
