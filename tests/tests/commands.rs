//! Programs that print credentials, as they are run: in shell and in Python.

use std::os::unix::fs::PermissionsExt;

use countersign::ErrorKind;
use countersign_host::{Client, Host};
use countersign_tests::fault::{FaultServer, Reply};
use countersign_tests::folder::{Folder, get, request};
use http::Method;

/// Writes a program.
fn script(folder: &Folder, name: &str, text: &str) {
    let file = folder.put(name, text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o700)).unwrap();
}

fn toml(api: &FaultServer, profile: &str) -> String {
    format!(
        "[profiles.c]\ntype = \"command\"\n{profile}\n[connectors.c]\nbase_url = \"{}\"\nprofile = \"c\"\n",
        api.url("")
    )
}

/// What the API sees of a call.
async fn seen(folder: &Folder, profile: &str) -> Vec<(String, String)> {
    let api = FaultServer::start([Reply::status(200)]);
    let host = folder.host(&toml(&api, profile)).await;
    let answer = get(&host, "c", "/orders").await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(answer.status(), 200);
    let mut headers = api.requests()[0].headers.clone();
    headers.retain(|(name, _)| name == "authorization" || name == "cookie" || name.starts_with("x-"));
    headers
}

/// Why there is no credential; the call does not go out.
async fn failure(folder: &Folder, profile: &str) -> countersign_host::Error {
    let api = FaultServer::start([Reply::status(200)]);
    let host = folder.host(&toml(&api, profile)).await;
    let error =
        get(&host, "c", "/orders").await.err().unwrap_or_else(|| panic!("the call went out: {profile}"));
    assert_eq!(api.connections(), 0);
    assert!(!format!("{error} {error:?}").contains("c4nary"), "{error}");
    error
}

fn bearer(token: &str) -> Vec<(String, String)> {
    vec![("authorization".to_owned(), format!("Bearer {token}"))]
}

#[tokio::test]
async fn the_exec_credential_of_the_book_is_read() {
    let page = include_str!("../../docs/src/types/command.md");
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example = example.replace("2018-", "2999-");
    let folder = Folder::new();
    script(&folder, "mint", &format!("#!/bin/sh\ncat <<'END'\n{example}\nEND\n"));
    assert_eq!(seen(&folder, "command = [\"./mint\"]").await, bearer("my-bearer-token"));
    let ours = page.split("```json\n").nth(2).unwrap().split("```").next().unwrap();
    script(&folder, "ours", &format!("#!/bin/sh\ncat <<'END'\n{ours}\nEND\n"));
    let both = [("x-api-key".to_owned(), "k-1".to_owned()), ("x-tenant".to_owned(), "acme".to_owned())];
    assert_eq!(seen(&folder, "command = [\"./ours\"]").await, both);
}

#[tokio::test]
async fn a_program_in_python_is_told_by_kubernetes_variable_which_version_is_wanted() {
    let folder = Folder::new();
    let text = r#"#!/usr/bin/env python3
import json, os, sys
wanted = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert sys.stdin.read() == "", "nobody is there"
json.dump({"apiVersion": wanted["apiVersion"], "kind": "ExecCredential", "status": {"token": "-".join(sys.argv[1:])}}, sys.stdout)
"#;
    script(&folder, "mint.py", text);
    let profile = "command = [\"./mint.py\", \"a b\", \"$HOME\"]\nformat = \"exec-credential\"\napi_version = \"v1beta1\"";
    let error = failure(&folder, profile).await;
    assert!(
        error.to_string().contains("characters that no token has"),
        "the arguments came as they are: {error}"
    );
    let profile = "command = [\"./mint.py\", \"a;b\", \"$HOME\"]\nformat = \"exec-credential\"";
    assert_eq!(seen(&folder, profile).await, bearer("a;b-$HOME"));
}

#[tokio::test]
async fn a_program_gets_what_is_said_of_the_environment_and_its_folder_and_nothing_else() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    script(
        &folder,
        "mint",
        "#!/bin/sh\nprintf '%s' \"$(env | cut -d= -f1 | grep -v -x -e PWD -e _ -e SHLVL -e OLDPWD | sort | tr '\\n' .)$(basename \"$PWD\")\"\n",
    );
    let profile = "command = [\"./mint\"]\nformat = \"text\"\nfolder = \"below\"\ninherit = [\"PATH\"]\nenvironment = { GIVEN = \"x\" }";
    assert_eq!(seen(&folder, profile).await, bearer("GIVEN.PATH.below"));
}

#[tokio::test]
async fn what_goes_wrong_is_told_and_no_secret_with_it() {
    let folder = Folder::new();
    script(
        &folder,
        "fails",
        "#!/bin/sh\necho c4nary\necho 'first' >&2\necho \"no such user: $1 ($PASSWORD)\" >&2\nexit 3\n",
    );
    script(&folder, "hangs", "#!/bin/sh\necho '{\"token\":\"c4nary\"}'\nexec sleep 60\n");
    script(&folder, "floods", "#!/bin/sh\nyes c4nary\n");
    script(&folder, "killed", "#!/bin/sh\nkill -9 $$\n");
    script(&folder, "html", "#!/bin/sh\necho '<html>c4nary</html>'\n");
    script(
        &folder,
        "alpha",
        "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"c4nary\"}}'\n",
    );
    script(
        &folder,
        "expired",
        "#!/bin/sh\necho '{\"token\":\"c4nary\",\"expires_at\":\"2018-03-05T17:30:20-08:00\"}'\n",
    );
    folder.put("unexecutable", "#!/bin/sh\n");
    for (profile, kind, words) in [
        ("command = [\"./none\"]", ErrorKind::Config, "the program `none`: there is no such program"),
        ("command = [\"no-such-program-here\"]", ErrorKind::Config, "there is no such program"),
        ("command = [\"./unexecutable\"]", ErrorKind::Config, "may not be executed"),
        ("command = [\"./html\"]\nfolder = \"nowhere\"", ErrorKind::Config, "the folder"),
        (
            "command = [\"./fails\", \"c4nary-user\"]\nenvironment = { PASSWORD = \"c4nary-password\" }",
            ErrorKind::Denied,
            "the program `fails` ended with exit status 3; it says: \"no such user: … (…)\"",
        ),
        ("command = [\"./fails\"]\nquote_errors = false", ErrorKind::Denied, "exit status 3"),
        (
            "command = [\"./hangs\"]\ntimeout = \"1s\"",
            ErrorKind::Unavailable,
            "did not end within 1 s and was killed",
        ),
        ("command = [\"./floods\"]", ErrorKind::Unavailable, "printed more than 1024 KiB"),
        ("command = [\"./killed\"]", ErrorKind::Unavailable, "was ended by a signal"),
        ("command = [\"./html\"]", ErrorKind::Denied, "not JSON"),
        ("command = [\"./alpha\"]", ErrorKind::Denied, "v1 or v1beta1"),
        ("command = [\"./expired\"]", ErrorKind::Unavailable, "expired already"),
    ] {
        let error = failure(&folder, profile).await;
        assert_eq!(error.kind(), kind, "{profile}: {error}");
        assert!(error.to_string().contains(words), "{profile}: {error}");
    }
}

#[tokio::test]
async fn each_caller_has_a_credential_of_its_own_and_cannot_add_options() {
    let api = FaultServer::start([Reply::status(200)]);
    let folder = Folder::new();
    script(&folder, "mint", "#!/bin/sh\nprintf 'token-of-%s' \"$1\"\n");
    let host: Host =
        folder.host(&toml(&api, "command = [\"./mint\", \"{{ caller.user }}\"]\nformat = \"text\"")).await;
    let connector = host.connector("c").unwrap();
    for (user, accepted) in [("ada", true), ("bob", true), ("--help", false)] {
        let mut request = request(Method::GET, "/orders", "");
        request.extensions_mut().insert(countersign::Caller::from_iter([("user", user)]));
        assert_eq!(Client::new().send(&connector, request).await.is_ok(), accepted, "{user}");
    }
    let tokens: Vec<_> =
        api.requests().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(tokens, ["Bearer token-of-ada", "Bearer token-of-bob"]);
}
