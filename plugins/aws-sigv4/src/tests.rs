use countersign::testing::{Answer, ScriptedHost, profile};
use countersign::{Credential, ErrorKind, HeaderView, Lifetime, Profile, RequestHead, Secret, timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::config::Payload;
use crate::sign::{Form, Scope};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A case of the AWS test suite.
#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
    body: String,
    normalize: bool,
    sign_body: bool,
    token: Option<String>,
    omit_session_token: bool,
    expires: u64,
    timestamp: String,
    signature: String,
    query_signature: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let vectors: Value = serde_json::from_str(include_str!("../tests/vectors.json")).unwrap();
        serde_json::from_value(vectors["cases"].clone()).unwrap()
    }

    fn signature(&self, form: Form) -> String {
        let names: Vec<String> = self.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        // A folded value is one line when it gets here.
        let values: Vec<String> = self.headers.iter().map(|(_, value)| value.replace('\n', " ")).collect();
        let fields = names.iter().zip(&values).filter(|(name, _)| *name != "host");
        let headers: Vec<HeaderView<'_>> =
            fields.map(|(name, value)| HeaderView::new(name, value.as_bytes())).collect();
        let host = &self.headers.iter().find(|(name, _)| name == "Host").unwrap().1;
        let request = RequestHead::new(&self.method, "https", host, &self.path)
            .with_query(self.query.as_deref())
            .with_headers(&headers)
            .with_body(Some(if self.sign_body { self.body.as_bytes() } else { b"" }));
        let signature = Signature {
            form,
            payload: Payload::Signed,
            double: false,
            normalize: self.normalize,
            signed_headers: names.clone(),
            scope: Scope { region: "us-east-1".to_owned(), service: "service".to_owned() },
        };
        let token = self.token.clone().filter(|_| !self.omit_session_token);
        let material = Material::new(KEY.to_owned(), SECRET.into(), token.map(Secret::new));
        let edits = signature.sign(&material, &request, timestamp(&self.timestamp).unwrap()).unwrap();
        let (_, _, last) = edits.iter().last().unwrap();
        last[last.len() - 64..].to_owned()
    }
}

#[test]
fn signatures_in_headers_are_those_of_the_test_suite() {
    for case in Case::all() {
        let form = Form::Headers { content_sha256: case.sign_body };
        assert_eq!(case.signature(form), case.signature, "{}", case.name);
    }
}

#[test]
fn signatures_in_the_query_are_those_of_the_test_suite() {
    for case in Case::all() {
        let signature = case.signature(Form::Query { seconds: case.expires });
        assert_eq!(signature, case.query_signature, "{}", case.name);
    }
}

fn settings(more: Value) -> Value {
    let mut settings = json!({
        "region": "us-east-1", "service": "s3", "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    });
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => drop(settings.as_object_mut().unwrap().remove(name)),
            value => settings[name] = value.clone(),
        }
    }
    settings
}

fn made(more: Value) -> Box<dyn Profile> {
    profile::<AwsSigV4>(settings(more)).unwrap()
}

/// The time of the examples in the guide to S3.
fn host() -> ScriptedHost {
    ScriptedHost::new().at(timestamp("2013-05-24T00:00:00Z").unwrap())
}

fn signed(more: Value, request: &RequestHead<'_>) -> Vec<(&'static str, String, String)> {
    let profile = made(more);
    let mut host = host();
    let credential = host.acquire(&*profile).unwrap();
    host.sign(&*profile, credential, request).unwrap()
}

// The examples of "Authenticating Requests: Using the Authorization Header" in the API reference of Amazon S3.
#[test]
fn requests_to_s3_are_signed_as_its_reference_shows() {
    let range = [HeaderView::new("range", b"bytes=0-9")];
    let get = RequestHead::new("GET", "https", "examplebucket.s3.amazonaws.com", "/test.txt")
        .with_headers(&range)
        .with_body(Some(b""));
    let edits = signed(json!({ "signed_headers": ["Range"] }), &get);
    assert_eq!(edits[0], ("header", "x-amz-date".to_owned(), "20130524T000000Z".to_owned()));
    assert_eq!(edits[1].1, "x-amz-content-sha256");
    assert_eq!(
        edits[2].2,
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, \
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );

    let put = [
        HeaderView::new("date", b"Fri, 24 May 2013 00:00:00 GMT"),
        HeaderView::new("x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    ];
    let put = RequestHead::new("PUT", "https", "examplebucket.s3.amazonaws.com", "/test%24file.text")
        .with_headers(&put)
        .with_body(Some(b"Welcome to Amazon S3."));
    let edits = signed(json!({ "signed_headers": ["date"] }), &put);
    assert!(
        edits[2].2.ends_with("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        "{}",
        edits[2].2
    );

    for (query, signature) in [
        ("lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ] {
        let request = RequestHead::new("GET", "https", "examplebucket.s3.amazonaws.com", "/")
            .with_query(Some(query))
            .with_body(Some(b""));
        assert!(signed(json!({}), &request)[2].2.ends_with(signature), "{query}");
    }
}

// The example of "Authenticating Requests: Using Query Parameters", there.
#[test]
fn a_presigned_url_is_that_of_the_reference() {
    let request = RequestHead::new("GET", "https", "examplebucket.s3.amazonaws.com", "/test.txt");
    let edits = signed(json!({ "place": "query", "expires": "1d" }), &request);
    let names: Vec<&str> = edits.iter().map(|(_, name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature"
        ]
    );
    assert_eq!(edits[3].2, "86400");
    assert_eq!(edits[5].2, "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

#[test]
fn an_unsigned_payload_is_said_and_not_read() {
    let profile = made(json!({ "payload": "unsigned" }));
    assert!(!profile.inputs().reads_body() && made(json!({})).inputs().reads_body());
    let request = RequestHead::new("PUT", "https", "b.example", "/k");
    let edits = signed(json!({ "payload": "unsigned" }), &request);
    assert_eq!((edits[1].1.as_str(), edits[1].2.as_str()), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"));
}

#[test]
fn the_key_of_a_day_is_kept_and_changes_with_it() {
    let material = Material::new(KEY.to_owned(), SECRET.into(), None);
    let scope = Scope { region: "r".to_owned(), service: "s".to_owned() };
    let key = |time: &str| {
        let date = date::Date::of(timestamp(time).unwrap());
        material
            .with_key(date, &scope, |key| Ok((key.sign("", &[b'0'; 64]), std::ptr::from_ref(key))))
            .unwrap()
    };
    let first = key("2026-01-01T00:00:00Z");
    assert_eq!(first, key("2026-01-01T23:59:59Z"), "the same, and not made anew");
    assert_ne!(first.0, key("2026-01-02T00:00:00Z").0);
    assert_eq!(first.0, key("2026-01-01T12:00:00Z").0);
}

#[test]
fn settings_that_cannot_work_are_named() {
    for (more, field, words) in [
        (json!({ "region": "" }), "region", "lower case"),
        (json!({ "service": "S3" }), "service", "lower case"),
        (
            json!({ "access_key_id": null, "secret_access_key": null }),
            "access_key_id",
            "credentials = \"default\"",
        ),
        (json!({ "secret_access_key": null }), "access_key_id", "needs `secret_access_key`"),
        (json!({ "access_key_id": null }), "secret_access_key", "needs `access_key_id`"),
        (json!({ "access_key_id": "a b" }), "access_key_id", "letters and digits"),
        (json!({ "secret_access_key": "" }), "secret_access_key", "empty"),
        (json!({ "credentials": "default" }), "credentials", "keep one"),
        (json!({ "profile": "x" }), "profile", "configuration files"),
        (json!({ "expires": "5m" }), "expires", "place = \"query\""),
        (json!({ "place": "query", "expires": "8d" }), "expires", "7 days"),
        (json!({ "place": "query", "expires": "soon" }), "expires", "period"),
        (json!({ "signed_headers": ["a b"] }), "signed_headers[0]", ""),
        (json!({ "sts_url": "sts" }), "sts_url", "URL"),
        (json!({ "assume_role": { "role_arn": "x" } }), "assume_role.role_arn", "arn:aws"),
        (
            json!({ "assume_role": { "role_arn": "arn:x", "session_name": "a b" } }),
            "assume_role.session_name",
            "",
        ),
        (
            json!({ "assume_role": { "role_arn": "arn:x", "duration_seconds": 1 } }),
            "assume_role.duration_seconds",
            "900",
        ),
    ] {
        let error = profile::<AwsSigV4>(settings(more.clone())).err().unwrap_or_else(|| panic!("{more}"));
        assert_eq!((error.kind(), error.field()), (ErrorKind::Config, Some(field)), "{more}: {error}");
        assert!(error.message().contains(words), "{more}: {error}");
        assert!(!error.to_string().contains("wJalr"), "{error}");
    }
}

fn found(place: &str) -> Value {
    json!({ "access_key_id": null, "secret_access_key": null, "credentials": place })
}

/// The keys that a credential signs with, and how long it lives.
fn keys(credential: &Credential) -> (String, Option<String>, Lifetime) {
    let material = credential.material::<Material>().unwrap();
    let token = material.session_token.as_ref().map(|token| token.expose().clone());
    (material.access_key_id.clone(), token, credential.lifetime())
}

const STS: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
                   <SecretAccessKey>s&amp;1</SecretAccessKey><SessionToken>t1</SessionToken>\
                   <Expiration>2013-05-24T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn hour() -> Lifetime {
    Lifetime::Until(timestamp("2013-05-24T01:00:00Z").unwrap())
}

#[test]
fn given_keys_live_until_they_are_rejected() {
    let credential = host().acquire(&*made(json!({ "session_token": "t" }))).unwrap();
    assert_eq!(
        keys(&credential),
        ("AKIAIOSFODNN7EXAMPLE".to_owned(), Some("t".to_owned()), Lifetime::UntilRejected)
    );
}

#[test]
fn keys_of_the_environment_are_found() {
    let profile = made(found("environment"));
    let mut host = host().variable("AWS_ACCESS_KEY_ID", "AKIA2").variable("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(keys(&host.acquire(&*profile).unwrap()), ("AKIA2".to_owned(), None, Lifetime::Unstated));
    let error = self::host().acquire(&*profile).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[test]
fn a_web_identity_is_exchanged_for_keys() {
    let mut host = host()
        .variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/token")
        .variable("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
        .file("/var/run/token", "jwt\n")
        .answer(Answer::new(200, STS));
    let credential = host.acquire(&*made(found("web-identity"))).unwrap();
    assert_eq!(keys(&credential), ("ASIA1".to_owned(), Some("t1".to_owned()), hour()));
    let sent = &host.sent()[0];
    assert_eq!(sent.url, "https://sts.us-east-1.amazonaws.com/");
    let form = String::from_utf8(sent.body.expose().clone()).unwrap();
    assert!(
        form.starts_with("Action=AssumeRoleWithWebIdentity&") && form.ends_with("&WebIdentityToken=jwt"),
        "{form}"
    );
    assert!(sent.headers.iter().all(|header| header.name != "authorization"), "nothing to sign with");
}

#[test]
fn a_role_is_assumed_with_a_signed_request() {
    let role = json!({ "assume_role": { "role_arn": "arn:aws:iam::1:role/r", "external_id": "e", "duration_seconds": 900 } });
    let mut host = host().answer(Answer::new(200, STS));
    let credential = host.acquire(&*made(role)).unwrap();
    assert_eq!(keys(&credential), ("ASIA1".to_owned(), Some("t1".to_owned()), hour()));
    let sent = &host.sent()[0];
    let authorization = sent.headers.iter().find(|header| header.name == "authorization").unwrap();
    let expected = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/sts/aws4_request, \
                    SignedHeaders=content-type;host;x-amz-date, Signature=";
    assert!(authorization.value.expose().starts_with(expected), "{}", authorization.value.expose());
}

#[test]
fn a_refusal_of_the_token_service_is_told_by_its_code_and_no_more() {
    let refusal =
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>";
    let role = json!({ "assume_role": { "role_arn": "arn:aws:iam::1:role/r" } });
    let error = host().answer(Answer::new(403, refusal)).acquire(&*made(role)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("AccessDenied") && !error.message().contains("canary"), "{error}");
}

fn files() -> ScriptedHost {
    host().variable("HOME", "/home/erp")
}

#[test]
fn keys_of_the_files_are_found_and_the_credentials_file_wins() {
    let mut host = files()
        .file("/home/erp/.aws/config", "[default]\naws_access_key_id=old\naws_secret_access_key=s\n")
        .file("/home/erp/.aws/credentials", "[default]\naws_access_key_id=AKIA3\naws_session_token=t\n");
    let credential = host.acquire(&*made(found("files"))).unwrap();
    assert_eq!(keys(&credential), ("AKIA3".to_owned(), Some("t".to_owned()), Lifetime::Unstated));
}

#[test]
fn a_profile_of_the_files_may_name_a_role_and_a_source() {
    let config = "[profile base]\naws_access_key_id=AKIA4\naws_secret_access_key=s\n\
                  [profile middle]\nrole_arn=arn:aws:iam::1:role/m\nsource_profile=base\n\
                  [profile app]\nrole_arn=arn:aws:iam::2:role/a\nsource_profile=middle\nexternal_id=e\n";
    let mut settings = found("files");
    settings["profile"] = json!("app");
    let mut host = files()
        .file("/home/erp/.aws/config", config)
        .answer(Answer::new(200, STS))
        .answer(Answer::new(200, STS.replace("ASIA1", "ASIA2")));
    let credential = host.acquire(&*made(settings.clone())).unwrap();
    assert_eq!(keys(&credential).0, "ASIA2");
    let forms: Vec<String> =
        host.sent().iter().map(|sent| String::from_utf8(sent.body.expose().clone()).unwrap()).collect();
    assert!(forms[0].contains("role%2Fm") && forms[1].contains("role%2Fa"), "{forms:?}");

    for (config, words) in [
        ("[profile app]\nrole_arn=arn:x\n", "neither"),
        ("[profile app]\nrole_arn=arn:x\nsource_profile=none\n", "not there"),
        (
            "[profile app]\nrole_arn=arn:x\nsource_profile=b\n[profile b]\nrole_arn=arn:x\nsource_profile=app\n",
            "circle",
        ),
        ("[profile app]\nrole_arn=arn:x\nsource_profile=b\n[profile b]\nregion=x\n", "no keys"),
        ("[profile app]\naws_access_key_id=A\n", "half a key"),
        ("[profile app]\nsso_session=x\n", "SSO"),
        ("[profile other]\n", "no profile `app` (other)"),
        ("[profile app]\nrole_arn=arn:x\ncredential_source=Moon\n", "none of"),
    ] {
        let error =
            files().file("/home/erp/.aws/config", config).acquire(&*made(settings.clone())).unwrap_err();
        assert!(error.message().contains(words), "{config}: {error}");
    }
}

#[test]
fn a_process_that_the_files_name_is_run() {
    let config = "[default]\ncredential_process = /opt/get \"a b\"\n";
    let printed = json!({
        "Version": 1, "AccessKeyId": "ASIA5", "SecretAccessKey": "s", "SessionToken": "t",
        "Expiration": "2013-05-24T01:00:00+00:00",
    });
    let with = |status, output: String| {
        let mut host = files().file("/home/erp/.aws/config", config).program(status, output);
        let outcome = host.acquire(&*made(found("files")));
        (host, outcome)
    };
    let (host, credential) = with(0, printed.to_string());
    assert_eq!(keys(&credential.unwrap()), ("ASIA5".to_owned(), Some("t".to_owned()), hour()));
    assert_eq!(
        (host.ran()[0].program.as_str(), &host.ran()[0].arguments[..]),
        ("/opt/get", &["a b".to_owned()][..])
    );
    for (status, output, words) in [
        (3, "canary".to_owned(), "exit status 3"),
        (0, "canary".to_owned(), "did not print"),
        (0, printed.to_string().replace("\"Version\":1", "\"Version\":2"), "another version"),
        (0, printed.to_string().replace("2013-05-24", "soon"), "no instant"),
    ] {
        let error = with(status, output).1.unwrap_err();
        assert!(error.message().contains(words) && !error.message().contains("canary"), "{error}");
    }
}

const ENDPOINT: &str =
    r#"{"AccessKeyId":"ASIA6","SecretAccessKey":"s","Token":"t","Expiration":"2013-05-24T01:00:00Z"}"#;

#[test]
fn a_containers_endpoint_is_asked_with_its_token() {
    let mut host = host()
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token")
        .file("/token", "jwt\n")
        .answer(Answer::new(200, ENDPOINT));
    let credential = host.acquire(&*made(found("container"))).unwrap();
    assert_eq!(keys(&credential), ("ASIA6".to_owned(), Some("t".to_owned()), hour()));
    assert_eq!(host.sent()[0].headers[0].value.expose(), "jwt");
    let mut host = self::host()
        .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")
        .answer(Answer::new(200, ENDPOINT));
    host.acquire(&*made(found("container"))).unwrap();
    assert_eq!(host.sent()[0].url, "http://169.254.170.2/v2/x");
}

#[test]
fn an_instances_role_is_asked_for_with_a_session_token() {
    let mut host = host()
        .answer(Answer::new(200, "session"))
        .answer(Answer::new(200, "my-role\n"))
        .answer(Answer::new(200, ENDPOINT));
    let credential = host.acquire(&*made(found("default"))).unwrap();
    assert_eq!(keys(&credential), ("ASIA6".to_owned(), Some("t".to_owned()), hour()));
    let [token, role, keys] = host.sent() else { panic!("three exchanges") };
    assert_eq!(
        (token.method.as_str(), token.url.as_str()),
        ("PUT", "http://169.254.169.254/latest/api/token")
    );
    assert!(
        role.url.ends_with("/security-credentials/") && keys.url.ends_with("/security-credentials/my-role")
    );
    assert_eq!(keys.headers[0].value.expose(), "session");
    let disabled =
        self::host().variable("AWS_EC2_METADATA_DISABLED", "true").acquire(&*made(found("default")));
    assert!(disabled.unwrap_err().message().contains("disabled"));
    let crooked = self::host()
        .answer(Answer::new(200, "session"))
        .answer(Answer::new(200, "../../../secret"))
        .acquire(&*made(found("instance")));
    assert!(crooked.unwrap_err().message().contains("no role"));
}
