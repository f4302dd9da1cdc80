use std::path::Path;

use super::key::KeyId;
use super::secret_key::parameters;
use super::*;

/// The examples of minisign's page and of minisign-verify 0.3: the file is `test`, without a line end.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const HASHED: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
";
const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==
";

fn key() -> PublicKey {
    KEY.parse().unwrap()
}

fn id() -> KeyId {
    key().id()
}

/// Verifies the file `test` with these bytes.
fn verify(signature: &str, keys: &[PublicKey], bytes: &[u8]) -> Result<(), SignatureError> {
    signature.parse::<Signature>().unwrap().verify(keys, "test", bytes)
}

#[test]
fn signatures_of_minisign_are_verified_hashed_and_legacy() {
    assert_eq!(id().to_string(), "E7620F1842B4E81F");
    assert_eq!(key().to_string(), KEY);
    assert_eq!(key().to_file().parse(), Ok(key()));
    for signature in [HASHED, LEGACY, &HASHED.replace('\n', "\r\n"), HASHED.trim_end()] {
        assert_eq!(verify(signature, &[key()], b"test"), Ok(()), "{signature}");
        assert_eq!(verify(signature, &[key()], b"Test"), Err(SignatureError::OtherFile(id())));
        assert_eq!(verify(signature, &[], b"test"), Err(SignatureError::OtherKey(id())));
    }
}

#[test]
fn a_signature_is_refused_when_anything_of_it_is_another() {
    for good in [HASHED, LEGACY] {
        let other_comment = good.replace("timestamp:1", "timestamp:2");
        assert_eq!(verify(&other_comment, &[key()], b"test"), Err(SignatureError::OtherComment(id())));
        let longer = good.replace("file:test", "file:test\tfile:evil");
        assert_eq!(verify(&longer, &[key()], b"test"), Err(SignatureError::OtherComment(id())));
        // The untrusted comment is what its name says.
        assert_eq!(verify(&good.replace("from minisign", "of nobody"), &[key()], b"test"), Ok(()));
    }
    // The comment's signature covers the file's, so that the one of another file does not fit.
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (hashed, legacy) = (lines(HASHED), lines(LEGACY));
    let mixed = [&hashed[0], &hashed[1], &legacy[2], &legacy[3]].map(String::as_str).join("\n");
    assert_eq!(verify(&mixed, &[key()], b"test"), Err(SignatureError::OtherComment(id())));
    // One method's signature is not taken for the other's.
    let as_legacy = HASHED.replace("RUQf", "RWQf");
    assert_eq!(verify(&as_legacy, &[key()], b"test"), Err(SignatureError::OtherFile(id())));
}

#[test]
fn an_identifier_is_no_proof() {
    let forger = SecretKey::generate().unwrap();
    let mut same_id = forger.sign(b"test", "file:test").unwrap();
    same_id.key = id();
    assert_eq!(same_id.verify(&[key()], "test", b"test"), Err(SignatureError::OtherFile(id())));
    // Two trusted keys that share one are both tried.
    let twin = PublicKey::new(id(), [7; 32]);
    assert_eq!(verify(HASHED, &[twin, key()], b"test"), Ok(()));
}

#[test]
fn the_name_of_the_file_is_looked_at_where_the_comment_tells_it() {
    let signer = SecretKey::generate().unwrap();
    let verify = |comment: &str, name: &str| {
        signer.sign(b"x", comment).unwrap().verify(&[signer.public()], name, b"x")
    };
    assert_eq!(verify("timestamp:1\tfile:a.so\thashed", "a.so"), Ok(()));
    assert_eq!(verify("without any", "a.so"), Ok(()));
    let other = verify("timestamp:1\tfile:a.so\thashed", "b.so").unwrap_err();
    assert_eq!(other, SignatureError::OtherName(signer.public().id(), "a.so".to_owned()));
}

#[test]
fn what_is_no_key_or_signature_is_refused_in_words() {
    let cut = &HASHED[..HASHED.len() - 4];
    let three_lines = HASHED.lines().take(3).collect::<Vec<_>>().join("\n");
    let no_comment = HASHED.replace("trusted comment: t", "t");
    for text in [
        "",
        "x",
        KEY,
        cut,
        &three_lines,
        &no_comment,
        &format!("{HASHED}more\n"),
        &HASHED.replace("RUQ", "RVQ"),
    ] {
        assert!(text.parse::<Signature>().unwrap_err().to_string().starts_with("is no signature"), "{text}");
    }
    for text in ["", "RWQ", &KEY[1..], &KEY.replace("RW", "RU"), HASHED] {
        assert!(text.parse::<PublicKey>().unwrap_err().to_string().starts_with("is no public key"), "{text}");
    }
    for text in ["", HASHED, &key().to_file()] {
        assert!(
            SecretKey::open(text, b"").unwrap_err().to_string().starts_with("is no secret key"),
            "{text}"
        );
    }
}

#[test]
fn a_secret_key_opens_with_its_password_only() {
    let made = SecretKey::generate().unwrap();
    let sealed = made.to_file(Some(b"pass")).unwrap();
    assert_eq!(SecretKey::protection(&sealed), Ok(Protection::Password));
    assert_eq!(SecretKey::open(&sealed, b"pass").unwrap().public(), made.public());
    assert_eq!(
        SecretKey::open(&sealed, b"pasS").unwrap_err().to_string(),
        "does not open with this password"
    );

    let open = made.to_file(None).unwrap();
    assert_eq!(SecretKey::protection(&open), Ok(Protection::None));
    let opened = SecretKey::open(&open, b"").unwrap();
    let signature = opened.sign(b"x", "a comment").unwrap();
    assert_eq!(signature.verify(&[made.public()], "x", b"x"), Ok(()));
    assert_eq!(signature.to_string().parse(), Ok(signature));
    let line = open.lines().nth(1).unwrap();
    let changed = open.replace(&line[100..104], if &line[100..104] == "AAAA" { "BBBB" } else { "AAAA" });
    assert!(SecretKey::open(&changed, b"").unwrap_err().to_string().starts_with("is corrupt"));
    assert!(!format!("{opened:?}").contains(&line[80..]), "no secret in it");
}

#[test]
fn a_comment_is_one_line() {
    let key = SecretKey::generate().unwrap();
    for comment in ["a\nb", "a\rb", &"x".repeat(5000)] {
        assert!(key.sign(b"x", comment).is_err());
    }
}

#[test]
fn the_work_of_opening_a_key_is_that_of_libsodium_and_bounded() {
    let log_and_parallel = |operations, memory| {
        parameters(operations, memory).map(|parameters| (parameters.log_n(), parameters.r(), parameters.p()))
    };
    // libsodium's sensitive, which is minisign's; its interactive; rsign's; ours; and the smallest.
    assert_eq!(log_and_parallel(33_554_432, 1_073_741_824), Some((20, 8, 1)));
    assert_eq!(log_and_parallel(524_288, 16_777_216), Some((14, 8, 1)));
    assert_eq!(log_and_parallel(1_048_576, 33_554_432), Some((15, 8, 1)));
    assert_eq!(log_and_parallel(1 << 22, 1 << 27), Some((17, 8, 1)));
    assert_eq!(log_and_parallel(0, 16_777_216), Some((10, 8, 1)));
    assert_eq!(log_and_parallel(33_554_433, 1 << 20), None);
    assert_eq!(log_and_parallel(1, 1_073_741_825), None);
}

#[test]
fn a_lock_file_says_the_same_for_the_same_plugins_and_tells_changes() {
    let locked =
        |byte, version: Option<&str>| Locked { sha256: [byte; 32], version: version.map(str::to_owned) };
    let lock = |plugins: &[(&str, Locked)]| {
        Lock::new(
            "plugins.lock",
            plugins.iter().map(|(name, locked)| ((*name).to_owned(), locked.clone())).collect(),
        )
    };
    let before =
        lock(&[("b", locked(1, Some("1.0.0"))), ("a.x", locked(2, None)), ("gone", locked(3, None))]);
    let text = before.to_file();
    let sum = "01".repeat(32);
    assert!(
        text.contains(&format!("\n[plugins.\"b\"]\nversion = \"1.0.0\"\nsha256 = \"{sum}\"\n")),
        "{text}"
    );
    assert_eq!(Lock::parse(Path::new("plugins.lock"), text.as_bytes()), Ok(before.clone()));
    assert_eq!(
        lock(&[("gone", locked(3, None)), ("a.x", locked(2, None)), ("b", locked(1, Some("1.0.0")))])
            .to_file(),
        text
    );

    let now = lock(&[("new", locked(4, None)), ("b", locked(5, Some("1.1.0"))), ("a.x", locked(2, None))]);
    assert_eq!(
        before.changes(&now),
        [
            Change::Changed("b".into(), locked(1, Some("1.0.0")), locked(5, Some("1.1.0"))),
            Change::Removed("gone".into(), locked(3, None)),
            Change::Added("new".into(), locked(4, None)),
        ]
    );
}

#[test]
fn what_is_no_lock_file_is_refused_in_words() {
    let sum = "01".repeat(32);
    for (text, expected) in [
        ("".to_owned(), "is no lock file"),
        ("format = 2\n".to_owned(), "has the format 2"),
        ("format = 1\nplugin = 3\n".to_owned(), "is no lock file (line 2:"),
        ("format = 1\n[plugins.a]\nsha256 = 'xyz'\n".to_owned(), "has no SHA-256 digest for \"a\""),
        (
            format!("format = 1\n[plugins.a]\nsha256 = '{sum}'\n[plugins.a]\nsha256 = '{sum}'\n"),
            "is no lock file (line 4:",
        ),
        (
            format!("format = 1\n[plugins.a-b]\nsha256 = '{sum}'\n[plugins.a_b]\nsha256 = '{sum}'\n"),
            "has \"a_b\" twice",
        ),
    ] {
        let reason = Lock::parse(Path::new("plugins.lock"), text.as_bytes()).unwrap_err();
        assert!(reason.starts_with(expected) && reason.contains("countersign plugins lock"), "{reason}");
        assert!(!reason.contains('\n'), "{reason}");
    }
}
