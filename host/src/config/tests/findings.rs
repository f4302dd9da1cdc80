//! Bad texts, each with exactly what is said of it.

use super::*;

const PROFILE: &str = "[profiles.p]\ntype = \"token\"\nissuer = \"i\"\n";

fn assert_findings(text: &str, expected: &[&str]) {
    let said = findings(text);
    assert!(!said.contains(CANARY), "{said}");
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "\n{text}\n---\n{said}");
}

#[test]
fn syntax_errors_are_all_reported() {
    assert_findings(
        "a = \n[x\nb = 'ä' 'c'\n",
        &[
            "countersign.toml:1:5: string values must be quoted, expected literal string",
            "countersign.toml:2:3: unclosed table, expected `]`",
            "countersign.toml:3:9: unexpected key or value, expected newline, `#`",
        ],
    );
}

#[test]
fn a_table_that_stands_twice_is_told_with_where_it_began() {
    assert_findings(
        &format!(
            "{PROFILE}[connectors.a]\nbase_url = 'https://x.example'\n\n[connectors.a]\nprofile = 'p'\n"
        ),
        &[
            "countersign.toml:7:13: duplicate key",
            "  help: this table begins in line 4 already; put what stands here into it",
        ],
    );
    assert_findings(
        "[http]\ntimeout = '1s'\ntimeout = '2s'\n",
        &[
            "countersign.toml:3:1: duplicate key",
            "  help: it stands in this table already; keep one of the two",
        ],
    );
}

#[test]
fn files_of_the_hosts_own_are_looked_into() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("ca.pem"), format!("{CANARY}\n")).unwrap();
    fs::create_dir(at("state")).unwrap();
    fs::set_permissions(at("state"), fs::Permissions::from_mode(0o750)).unwrap();
    assert_findings(
        &format!(
            "[http]\nca_file = '{0}'\n[store]\ndir = '{1}'\n{PROFILE}[connectors.a]\nbase_url = 'https://x.example'\nprofile = 'p'\nca_file = '{0}'\n",
            at("ca.pem"),
            at("state")
        ),
        &[
            &format!("countersign.toml:2:11: http.ca_file: {} holds no PEM certificate", at("ca.pem")),
            &format!(
                "countersign.toml:4:7: store.dir: the state directory {} is open to others; run `chmod 0700` on it",
                at("state")
            ),
            &format!(
                "countersign.toml:11:11: connectors.a.ca_file: {} holds no PEM certificate",
                at("ca.pem")
            ),
        ],
    );
}

#[test]
fn root_tables_are_known() {
    assert_findings(
        "[profile.p]\ntype = 'token'\n[conectors]\nsotre = 1\n",
        &[
            "countersign.toml:1:2: profile: is not known here",
            "  help: did you mean `profiles`?",
            "countersign.toml:3:2: conectors: is not known here",
            "  help: did you mean `connectors`?",
        ],
    );
    assert_findings(
        "profiles = 1\nconnectors = []\nstore = 'x'\nhttp = true\nplugins = 2\nserve = 'x'\n",
        &[
            "countersign.toml:1:12: profiles: expected table, found integer",
            "countersign.toml:2:14: connectors: expected table, found array",
            "countersign.toml:3:9: store: expected table, found string",
            "countersign.toml:4:8: http: expected table, found boolean",
            "countersign.toml:5:11: plugins: expected table, found integer",
            "countersign.toml:6:9: serve: expected table, found string",
        ],
    );
}

#[test]
fn profiles_have_names_and_types() {
    assert_findings(
        "[profiles]\nx = 1\n[profiles.Bad]\ntype = 'token'\n[profiles.a]\n[profiles.b]\ntype = 'tokem'\n[profiles.c]\ntype = 3\n[profiles.e]\ntype = 'canary-7f3a !'\n\
         [profiles.d]\ntype = 'token'\nissuer = 'i'\ndefault_lifetime = '5 minutes'\n",
        &[
            "countersign.toml:2:1: profiles.x: expected table `[profiles.x]`, found integer",
            "countersign.toml:3:11: profiles.Bad: is not a name: lower-case letters, digits, `-`, `_` and `.`, beginning with a letter or digit, at most 64 characters",
            "countersign.toml:5:1: profiles.a: lacks `type`",
            "  help: add `type = \"…\"`; known here: `login`, `token`",
            "countersign.toml:7:8: profiles.b.type: there is no profile type `tokem`",
            "  help: did you mean `token`?",
            "countersign.toml:9:8: profiles.c.type: expected string, found integer",
            "countersign.toml:11:8: profiles.e.type: there is no profile type `…`",
            "  help: known here: `login`, `token`",
            "countersign.toml:15:20: profiles.d.default_lifetime: is not a duration; write `30s`, `5m`, `1h30m` or `250ms`",
        ],
    );
}

#[test]
fn further_signs_of_a_rejection_are_checked() {
    let sign = "{ status = [200] }, ";
    let text = format!(
        "{PROFILE}[connectors.a]\nbase_url = 'https://x.example'\nprofile = 'p'\n[connectors.a.rejection]\nalso = [\n\
         {{ body_contains = 'expired' }},\n{{ status = [200], replay = 'always' }},\n{{ status = [99] }},\n{{ status = [] }},\n\
         {{ status = [200], body_contains = '', header = {{ 'a b' = 'x' }} }},\n3,\n]\n\
         [connectors.b]\nbase_url = 'https://x.example'\nprofile = 'p'\nrejection = {{ also = [{}] }}\n\
         [connectors.c]\nbase_url = 'https://x.example'\nprofile = 'p'\nrejection = {{ also = [{}] }}\n",
        sign.repeat(16),
        sign.repeat(17),
    );
    assert_findings(
        &text,
        &[
            "countersign.toml:9:1: connectors.a.rejection.also[0]: lacks `status`",
            "  help: write `status = [200]`",
            "countersign.toml:10:19: connectors.a.rejection.also[1].replay: is not known here",
            "  help: known here: `status`, `header`, `body_contains`",
            "countersign.toml:11:13: connectors.a.rejection.also[2].status[0]: is not a status from 200 to 599",
            "countersign.toml:12:12: connectors.a.rejection.also[3].status: names no status, so nothing would ever be a rejection",
            "  help: write `[401]`",
            "countersign.toml:13:35: connectors.a.rejection.also[4].body_contains: must have 1 to 256 characters",
            "countersign.toml:13:58: connectors.a.rejection.also[4].header.a b: is not a header's name",
            "countersign.toml:14:1: connectors.a.rejection.also[5]: expected table, found integer",
            "countersign.toml:23:22: connectors.c.rejection.also: holds more than 16 tables",
        ],
    );
}

#[test]
fn connectors_are_checked() {
    let text = format!(
        "{PROFILE}[connectors.a]\n[connectors.b]\nbase_url = 'http://x.example'\nprofile = 'q'\nprofiles = ['p']\n\
         [connectors.c]\nbase_url = 'https://u@x.example'\nprofiles = ['p', 'p', 'P', 'o', 3]\ntimout = '1s'\ntimeout = '2d'\n\
         [connectors.d]\nbase_url = 'https://x.example'\nprofile = '${{env:P}}'\nca_file = '/nowhere'\n\
         rejection = {{ status = [99, 401], header = {{ 'a b' = 'x' }}, replay = 'no', body_contains = '', max_replay_body = -1, stat = 1 }}\n",
    );
    assert_findings(
        &text,
        &[
            "countersign.toml:4:1: connectors.a: lacks `base_url`",
            "  help: name the API: `base_url = \"https://orders.example/api\"`",
            "countersign.toml:4:1: connectors.a: names no profile",
            "  help: add `profile = \"NAME\"`",
            "countersign.toml:6:12: connectors.b.base_url: is not https: everybody on the way could read and reuse the credential",
            "  help: use https://, or, if the network itself is trusted, `allow_http = true`",
            "countersign.toml:8:12: connectors.b.profiles: stands beside `profile`",
            "  help: keep one of the two",
            "countersign.toml:10:12: connectors.c.base_url: carries a user before `@`; give credentials to a profile instead",
            "countersign.toml:11:18: connectors.c.profiles[1]: names the profile `p` twice",
            "countersign.toml:11:23: connectors.c.profiles[2]: there is no profile `…`",
            "  help: did you mean `p`?",
            "countersign.toml:11:28: connectors.c.profiles[3]: there is no profile `o`",
            "  help: did you mean `p`?",
            "countersign.toml:11:33: connectors.c.profiles[4]: expected string, found integer",
            "countersign.toml:12:1: connectors.c.timout: is not known here",
            "  help: did you mean `timeout`?",
            "countersign.toml:13:11: connectors.c.timeout: must be at most 3600 s",
            "countersign.toml:16:11: connectors.d.profile: holds a `${…}`, which only the settings of profiles may",
            "  help: write the value itself",
            "countersign.toml:17:11: connectors.d.ca_file: /nowhere: there is no such file",
            "countersign.toml:18:25: connectors.d.rejection.status[0]: is not a status from 200 to 599",
            "countersign.toml:18:54: connectors.d.rejection.header.a b: is not a header's name",
            "countersign.toml:18:70: connectors.d.rejection.replay: must be `idempotent`, `always` or `never`",
            "countersign.toml:18:92: connectors.d.rejection.body_contains: must have 1 to 256 characters",
            "countersign.toml:18:114: connectors.d.rejection.max_replay_body: must be from 0 to 67108864",
            "countersign.toml:18:118: connectors.d.rejection.stat: is not known here",
            "  help: did you mean `status`?",
        ],
    );
}

#[test]
fn host_tables_are_checked() {
    assert_findings(
        "[plugins]\ndir = 'nowhere'\ntrsut = 1\n[plugins.trust]\n[plugins.a]\nsha256 = 'xyz'\nrequired = 'yes'\ntypes = 'a'\n[plugins.a-b]\n[plugins.a_b]\n\
         [http]\ntimeout = '0s'\nmax_body = 0\nproxy = 'http://p.example/x'\n[store]\ndir = ''\npath = 'x'\n",
        &[
            "countersign.toml:2:7: plugins.dir: there is no folder nowhere",
            "  help: make it, or leave `dir` out",
            "countersign.toml:3:1: plugins.trsut: is not known here",
            "  help: did you mean `trust`?",
            "countersign.toml:4:1: plugins.trust: expected string, found table",
            "countersign.toml:6:10: plugins.a.sha256: is not a SHA-256 digest: 64 hexadecimal digits",
            "countersign.toml:7:12: plugins.a.required: expected boolean, found string",
            "countersign.toml:8:9: plugins.a.types: expected array of strings, found string",
            "countersign.toml:10:10: plugins.a_b: is the same plugin as `a-b`",
            "countersign.toml:12:11: http.timeout: must be longer than nothing",
            "countersign.toml:13:12: http.max_body: must be from 1 to 67108864",
            "countersign.toml:14:9: http.proxy: has a path; a proxy is only scheme, host and port",
            "countersign.toml:16:7: store.dir: is empty",
            "countersign.toml:17:1: store.path: is not known here",
            "  help: known here: `dir`",
        ],
    );
}

#[test]
fn settings_are_checked_against_the_schema() {
    assert_findings(
        "[profiles.p]\ntype = 'token'\nisuer = 'x'\nport = 70000\nsecret = 'abc'\nalgorithm = 'canary-7f3a'\nclaims = 'canary-7f3a'\n\
         keys = [{ kid = 'a' }, { pem = 'canary-7f3a', kidd = 1 }, 'canary-7f3a']\n",
        &[
            "countersign.toml:1:1: profiles.p: lacks `issuer`",
            "countersign.toml:3:1: profiles.p.isuer: is not known here",
            "  help: did you mean `issuer`?",
            "countersign.toml:4:8: profiles.p.port: is more than 65535",
            "countersign.toml:5:10: profiles.p.secret: is shorter than 4 characters",
            "countersign.toml:6:13: profiles.p.algorithm: must be `RS256`, `ES256` or `EdDSA`",
            "countersign.toml:7:10: profiles.p.claims: expected table, found string",
            "countersign.toml:8:24: profiles.p.keys[1]: lacks `kid`",
            "countersign.toml:8:47: profiles.p.keys[1].kidd: is not known here",
            "  help: did you mean `kid`?",
            "countersign.toml:8:59: profiles.p.keys[2]: expected table, found string",
        ],
    );
}

#[test]
fn alternatives_are_explained_by_the_one_that_was_meant() {
    for (settings, expected) in [
        ("", vec!["countersign.toml:1:1: profiles.p: lacks `grant`"]),
        (
            "grant = 'canary-7f3a'",
            vec!["countersign.toml:3:9: profiles.p.grant: must be `client_credentials` or `refresh_token`"],
        ),
        (
            "grant = 'refresh_token'\nclient_id = 'x'",
            vec!["countersign.toml:1:1: profiles.p: lacks `refresh_token`"],
        ),
        (
            "grant = 'refresh_token'\nrefresh_token = 3",
            vec!["countersign.toml:4:17: profiles.p.refresh_token: expected string, found integer"],
        ),
        (
            "grant = 'refresh_token'\nrefresh_tokn = 'x'",
            vec![
                "countersign.toml:1:1: profiles.p: lacks `refresh_token`",
                "countersign.toml:4:1: profiles.p.refresh_tokn: is not known here",
                "  help: did you mean `refresh_token`?",
            ],
        ),
        (
            "grant = 'refresh_token'\nrefresh_token = 'x'\nkey = 3",
            vec!["countersign.toml:5:7: profiles.p.key: expected string or table, found integer"],
        ),
        (
            "grant = 'refresh_token'\nrefresh_token = 'x'\nkey = { pat = 'x' }",
            vec![
                "countersign.toml:5:7: profiles.p.key: lacks `path`",
                "countersign.toml:5:9: profiles.p.key.pat: is not known here",
                "  help: did you mean `path`?",
            ],
        ),
    ] {
        assert_findings(&format!("[profiles.p]\ntype = 'login'\n{settings}\n"), &expected);
    }
}

#[test]
fn sources_without_a_value_are_located() {
    assert_findings(
        "[profiles.p]\ntype = 'token'\nissuer = 'ä${env:NOWHERE}'\nsecret = \"${file:/nowhere/key}\"\n\
         claims = { a = [1, '${env:EMPTY}'], b = { c = '${evn:X}' } }\nalgorithm = '${env:NONE}'\nkeys = ['${']\n",
        &[
            "countersign.toml:3:10: profiles.p.issuer: the environment variable NOWHERE is not set, or empty",
            "  help: set it, or give a default: `${env:NOWHERE:-…}`",
            "countersign.toml:4:10: profiles.p.secret: /nowhere/key: there is no such file",
            "countersign.toml:5:20: profiles.p.claims.a[1]: the environment variable EMPTY is not set, or empty",
            "  help: set it, or give a default: `${env:EMPTY:-…}`",
            "countersign.toml:5:47: profiles.p.claims.b.c: holds `${…:` with a source that does not exist",
            "  help: did you mean `env`?; a dollar sign is `$$`",
            "countersign.toml:6:13: profiles.p.algorithm: the environment variable NONE is not set, or empty",
            "  help: set it, or give a default: `${env:NONE:-…}`",
            "countersign.toml:7:9: profiles.p.keys[0]: holds `${` without a source and a `}`",
            "  help: write `${env:NAME}`, `${file:PATH}`, `${base64:PATH}` or `${command:PROGRAM}`; a dollar sign is `$$`",
        ],
    );
}

#[test]
fn whom_to_trust_is_checked() {
    assert_findings(
        "[plugins]\ntrust = 'all'\nkeys = ['RWx', 'src/lib.rs', 3]\n[plugins.a]\nkeys = 'RWx'\n",
        &[
            "countersign.toml:2:9: plugins.trust: is none of the known ones",
            "  help: `any`; `pinned`: what has a digest here or in the lock file; `signed`: what one of `keys` signed",
            "countersign.toml:3:9: plugins.keys[0]: is neither a public key of minisign, `RW…`, nor a file: there is no RWx",
            "countersign.toml:3:16: plugins.keys[1]: src/lib.rs is no public key of minisign: `RW` and 54 more characters, or a file \
             with that",
            "countersign.toml:3:30: plugins.keys[2]: expected string, found integer",
            "countersign.toml:5:8: plugins.a.keys: expected array of strings, found string",
        ],
    );
    let signed = [
        "countersign.toml:2:9: plugins.trust: is \"signed\", but there are no `keys` that could sign",
        "  help: give `keys`: public keys of minisign, `RW…`, or paths of files with them",
    ];
    assert_findings("[plugins]\ntrust = 'signed'\n", &signed);
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    for keys in [format!("keys = ['{key}']"), format!("[plugins.a]\nkeys = ['{key}']")] {
        let text = format!("[plugins]\ntrust = 'signed'\n{keys}\n");
        let read = crate::config::Document::parse("countersign.toml".as_ref(), &text).unwrap().plugins();
        assert!(read.is_ok(), "{read:?}");
    }
}
