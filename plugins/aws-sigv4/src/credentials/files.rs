use std::collections::BTreeMap;

use countersign::{Context, Error, Secret};

use super::environment::variable;
use super::ini::Settings;
use super::sts::{AssumeRole, TokenService, web_identity};
use super::{Keys, endpoint, environment, ini, process};

/// The longest chain of profiles that name each other.
const MOST_STEPS: usize = 8;

type Profiles = BTreeMap<String, Settings>;

/// Keys of the AWS configuration files, if they have some for the profile.
pub(super) async fn keys(
    cx: &Context,
    named: Option<&str>,
    sts: &TokenService,
) -> Result<Option<Keys>, Error> {
    let profiles = read(cx).await?;
    let (name, is_named) = match named {
        Some(name) => (name.to_owned(), true),
        None => match variable(cx, "AWS_PROFILE").await? {
            Some(name) => (name, true),
            None => ("default".to_owned(), false),
        },
    };
    if is_named && !profiles.contains_key(&name) {
        let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
        return Err(Error::config(format!("the AWS configuration files have no profile `{name}` ({known})"))
            .at("profile"));
    }
    of_profile(cx, &profiles, &name, sts).await
}

/// Follows roles from profile to profile, and obtains their keys on the way back.
async fn of_profile(
    cx: &Context,
    profiles: &Profiles,
    name: &str,
    sts: &TokenService,
) -> Result<Option<Keys>, Error> {
    let mut roles: Vec<(AssumeRole, String)> = Vec::new();
    let mut name = name.to_owned();
    let mut keys = loop {
        let empty = BTreeMap::new();
        let profile = profiles.get(&name).unwrap_or(&empty);
        let setting = |key: &str| profile.get(key).map(Secret::expose).filter(|value| !value.is_empty());
        let is_role = setting("role_arn").is_some() && setting("web_identity_token_file").is_none();
        // A profile that names itself as its source has keys of its own.
        let own_source = setting("source_profile") == Some(&name) && roles.iter().any(|(_, at)| *at == name);
        if is_role && !own_source {
            if roles.len() == MOST_STEPS || roles.iter().any(|(_, at)| *at == name) {
                return Err(Error::config(format!(
                    "the AWS profile `{name}` is reached by a circle of `source_profile`"
                )));
            }
            roles.push((AssumeRole::of_profile(profile), name.clone()));
            match (setting("source_profile"), setting("credential_source")) {
                (Some(source), _) => {
                    if !profiles.contains_key(source) {
                        return Err(Error::config(format!(
                            "the AWS profile `{name}` names `{source}` as its source, which is not there"
                        )));
                    }
                    source.clone_into(&mut name);
                    continue;
                }
                (None, Some(source)) => break by_source(cx, source, &name).await?,
                (None, None) => {
                    return Err(Error::config(format!(
                        "the AWS profile `{name}` has a `role_arn`, but neither `source_profile` nor `credential_source`"
                    )));
                }
            }
        }
        match direct(cx, profile, &name, sts).await? {
            Some(keys) => break keys,
            None if roles.is_empty() => return Ok(None),
            None => {
                return Err(Error::config(format!("the AWS profile `{name}` is a source, but has no keys")));
            }
        }
    };
    while let Some((role, _)) = roles.pop() {
        keys = sts.assume_role(cx, &role, keys).await?;
    }
    Ok(Some(keys))
}

/// Keys that a profile has without another one.
async fn direct(
    cx: &Context,
    profile: &Settings,
    name: &str,
    sts: &TokenService,
) -> Result<Option<Keys>, Error> {
    let setting = |key: &str| profile.get(key).map(Secret::expose).filter(|value| !value.is_empty());
    if let (Some(file), Some(role)) = (setting("web_identity_token_file"), setting("role_arn")) {
        let session = setting("role_session_name").map(String::as_str);
        return web_identity(cx, sts, file, role, session).await.map(Some);
    }
    match (setting("aws_access_key_id"), setting("aws_secret_access_key")) {
        (Some(id), Some(secret)) => {
            let session_token = setting("aws_session_token").map(|token| token.as_str().into());
            let (access_key_id, secret_access_key) = (id.clone(), secret.as_str().into());
            return Ok(Some(Keys { access_key_id, secret_access_key, session_token, expires: None }));
        }
        (Some(_), None) | (None, Some(_)) => {
            return Err(Error::config(format!("the AWS profile `{name}` has half a key")));
        }
        (None, None) => {}
    }
    if let Some(line) = setting("credential_process") {
        return process::keys(cx, line).await.map(Some);
    }
    if setting("sso_session").is_some() || setting("sso_start_url").is_some() {
        return Err(Error::unsupported(format!(
            "the AWS profile `{name}` logs in by SSO, which takes a person; use `credential_process = aws configure export-credentials --profile {name}`"
        )));
    }
    Ok(None)
}

async fn by_source(cx: &Context, source: &str, name: &str) -> Result<Keys, Error> {
    let missing =
        || Error::denied(format!("the `credential_source` of the AWS profile `{name}` has no keys"));
    match source {
        "Environment" => environment::keys(cx).await?.ok_or_else(missing),
        "EcsContainer" => endpoint::container(cx).await?.ok_or_else(missing),
        "Ec2InstanceMetadata" => endpoint::instance(cx).await,
        _ => Err(Error::config(format!(
            "the AWS profile `{name}` has a `credential_source` that is none of Environment, EcsContainer, Ec2InstanceMetadata"
        ))),
    }
}

/// Both files as one: what `credentials` says wins.
async fn read(cx: &Context) -> Result<Profiles, Error> {
    let mut all = Profiles::new();
    for (given, usual) in
        [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")]
    {
        let path = match variable(cx, given).await? {
            Some(path) => path,
            None => match variable(cx, "HOME").await? {
                Some(home) => format!("{}/{usual}", home.trim_end_matches('/')),
                None => continue,
            },
        };
        let Some(content) = cx.file(&path).await? else { continue };
        let text = std::str::from_utf8(content.expose())
            .map_err(|_| Error::config(format!("{path} is not UTF-8")))?;
        for (name, settings) in ini::profiles(text) {
            all.entry(name).or_default().extend(settings);
        }
    }
    Ok(all)
}
