//! Several profiles on one connector: in order, the signature over what went before; and those that get into each other's way are
//! found before the first call.

use std::process::{Command, Stdio};

use countersign_tests::aws_api::{ACCESS_KEY_ID, AwsApi};
use countersign_tests::built;
use countersign_tests::folder::{Folder, get};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn profiles() -> String {
    format!(
        r#"[profiles.tenant]
type = "api-key"
headers = {{ X-Tenant = "acme", X-Amz-Meta-Tenant = "acme" }}
[profiles.key]
type = "api-key"
query_parameters = {{ key = "k 1" }}
[profiles.aws]
type = "aws-sigv4"
region = "eu-central-1"
service = "execute-api"
access_key_id = "{ACCESS_KEY_ID}"
secret_access_key = "{SECRET}"
signed_headers = ["x-tenant"]
[profiles.aws-too]
type = "aws-sigv4"
region = "eu-central-1"
service = "s3"
access_key_id = "{ACCESS_KEY_ID}"
secret_access_key = "{SECRET}"
place = "query"
[profiles.token]
type = "bearer"
token = "t"
[profiles.user]
type = "basic"
username = "u"
password = "p"
[profiles.fresh]
type = "jwt-bearer"
key = {{ secret = "a-shared-secret-of-32-characters" }}
algorithm = "HS256"
reuse = false
header = "X-Token"
"#
    )
}

#[tokio::test]
async fn a_signature_covers_what_profiles_before_it_placed() {
    let api = AwsApi { signed: vec!["x-tenant".into(), "x-amz-meta-tenant".into()], ..AwsApi::default() }
        .start(SECRET);
    let folder = Folder::new();
    let host = folder
        .host(&format!(
            "{}[connectors.api]\nbase_url = \"{}\"\nprofiles = [\"tenant\", \"key\", \"fresh\", \"aws\"]\n",
            profiles(),
            api.url("/v1")
        ))
        .await;
    // The API verifies the signature by code of its own, over the headers and the query that it got.
    let answer = get(&host, "api", "/orders?b=2&a=1").await.unwrap();
    assert_eq!(answer.status(), 200);
    // Without the header that it demands to be signed, it refuses.
    let host = folder
        .host(&format!(
            "{}[connectors.api]\nbase_url = \"{}\"\nprofiles = [\"key\", \"aws\"]\n",
            profiles(),
            api.url("/v1")
        ))
        .await;
    assert_eq!(get(&host, "api", "/orders").await.unwrap().status(), 403);
}

/// What `check` says of a connector with these profiles.
fn check(names: &[&str]) -> String {
    let folder = Folder::new();
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    folder.config(&format!(
        "[connectors.api]\nbase_url = \"https://api.example\"\nprofiles = [{}]\n{}",
        names.join(", "),
        profiles()
    ));
    let output = Command::new(built::program())
        .current_dir(folder.path())
        .arg("check")
        .env_remove("COUNTERSIGN_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

#[test]
fn profiles_that_get_along_are_no_finding() {
    for names in
        [&["tenant", "key", "aws"][..], &["token", "tenant", "key"], &["fresh", "tenant", "aws"], &["user"]]
    {
        let said = check(names);
        assert!(said.ends_with("no problems found\n"), "{names:?}: {said}");
    }
}

#[test]
fn profiles_that_get_into_each_other_s_way_are_found_with_line_and_column() {
    for (names, place, words, help) in [
        (
            &["token", "user"][..],
            "3:22",
            "`user` places the header authorization, which `token` places, too",
            "keep one of the two",
        ),
        (
            &["aws", "tenant"],
            "3:20",
            "`tenant` places the header x-amz-meta-tenant and the header x-tenant after `aws` has signed",
            "put `aws` behind `tenant`: what signs comes last",
        ),
        (
            &["aws", "key"],
            "3:20",
            "`key` places the query parameter key after `aws` has signed",
            "put `aws` behind",
        ),
        (
            &["token", "aws"],
            "3:22",
            "`aws` places the header authorization, which `token` places, too",
            "keep one",
        ),
        (
            &["tenant", "aws", "aws-too"],
            "3:30",
            "places the query parameter X-Amz-Algorithm",
            "each signs what the other places",
        ),
    ] {
        let said = check(names);
        let place = format!("countersign.toml:{place}: connectors.api.profiles[{}]: ", names.len() - 1);
        assert!(
            said.contains(&place) && said.contains(words) && said.contains(help),
            "{names:?} {place}: {said}"
        );
    }
}
