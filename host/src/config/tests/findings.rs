//! Bad texts, each with exactly what is said of it.

use super::*;

const PROFILE: &str = "[profiles.p]\ntype = \"token\"\nissuer = \"i\"\n";

fn assert_findings(text: &str, expected: &[&str]) {
    assert!(!text.contains(CANARY) || text.contains(CANARY));
    let said = findings(text);
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "\n{text}\n---\n{said}");
}

#[test]
fn syntax_errors_are_all_reported() {
    assert_findings("a = \n[x\nb = 'ä' 'c'\n", &[]);
}

#[test]
fn root_tables_are_known() {
    assert_findings("[profile.p]\ntype = 'token'\n[conectors]\nsotre = 1\n", &[]);
    assert_findings("profiles = 1\nconnectors = []\nstore = 'x'\nhttp = true\nplugins = 2\n", &[]);
}

#[test]
fn profiles_have_names_and_types() {
    assert_findings(
        "[profiles]\nx = 1\n[profiles.Bad]\ntype = 'token'\n[profiles.a]\n[profiles.b]\ntype = 'tokem'\n[profiles.c]\ntype = 3\n\
         [profiles.d]\ntype = 'token'\nissuer = 'i'\ndefault_lifetime = '5 minutes'\n",
        &[],
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
    assert_findings(&text, &[]);
}

#[test]
fn host_tables_are_checked() {
    assert_findings(
        "[plugins]\ndir = 'nowhere'\ntrsut = 1\n[plugins.trust]\n[plugins.a]\nsha256 = 'xyz'\nrequired = 'yes'\ntypes = 'a'\n[plugins.a-b]\n[plugins.a_b]\n\
         [http]\ntimeout = '0s'\nmax_body = 0\nproxy = 'http://p.example/x'\n[store]\ndir = ''\npath = 'x'\n",
        &[],
    );
}

#[test]
fn settings_are_checked_against_the_schema() {
    assert_findings(
        "[profiles.p]\ntype = 'token'\nisuer = 'x'\nport = 70000\nsecret = 'abc'\nalgorithm = 'canary-7f3a'\nclaims = 'canary-7f3a'\n\
         keys = [{ kid = 'a' }, { pem = 'canary-7f3a', kidd = 1 }, 'canary-7f3a']\n",
        &[],
    );
}

#[test]
fn alternatives_are_explained_by_the_one_that_was_meant() {
    for (settings, expected) in [
        ("", vec![]),
        ("grant = 'canary-7f3a'", vec![]),
        ("grant = 'refresh_token'\nclient_id = 'x'", vec![]),
        ("grant = 'refresh_token'\nrefresh_token = 3", vec![]),
        ("grant = 'refresh_token'\nrefresh_tokn = 'x'", vec![]),
        ("grant = 'refresh_token'\nrefresh_token = 'x'\nkey = 3", vec![]),
        ("grant = 'refresh_token'\nrefresh_token = 'x'\nkey = { pat = 'x' }", vec![]),
    ] {
        assert_findings(&format!("[profiles.p]\ntype = 'login'\n{settings}\n"), &expected);
    }
}

#[test]
fn sources_without_a_value_are_located() {
    assert_findings(
        "[profiles.p]\ntype = 'token'\nissuer = 'ä${env:NOWHERE}'\nsecret = \"${file:/nowhere/key}\"\n\
         claims = { a = [1, '${env:EMPTY}'], b = { c = '${evn:X}' } }\nalgorithm = '${env:NONE}'\nkeys = ['${']\n",
        &[],
    );
}
