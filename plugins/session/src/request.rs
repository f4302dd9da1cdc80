use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use countersign::{
    Caller, Credential, Error, HttpRequest, Origin, Place, Placements, Secret, Table, Template, Withheld,
};
use http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::body::{Body, Json, template};
use crate::config::Known;
use crate::success::{Success, SuccessConfig};
use crate::url::Url;

/// A request.
///
/// Texts are templates over the caller and over `variables`; those of `refresh` and `logout` over the former `answer`, too.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// `POST` if not given.
    #[schemars(extend("default" = "POST"))]
    pub method: Option<String>,
    /// The URL: `https://…`; plain `http` only on loopback. Holes stand behind the host and are percent-encoded. For `refresh` and
    /// `logout` it may be an address that the answer gave, as a whole: `"{{ answer.location }}"`.
    pub url: String,
    /// Headers by name.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Query parameters by name.
    #[serde(default)]
    pub query_parameters: BTreeMap<String, Secret>,
    /// Cookies by name.
    #[serde(default)]
    pub cookies: BTreeMap<String, Secret>,
    /// A JSON body, as a table or a list; each text in it is a template.
    pub json: Option<Json>,
    /// A form body (`application/x-www-form-urlencoded`) by field.
    pub form: Option<BTreeMap<String, Secret>>,
    /// Another body, as text; its type is in `headers.Content-Type`.
    pub body: Option<Secret>,
    /// A user name and password as Basic authentication (RFC 7617) of this request.
    pub basic: Option<BasicConfig>,
    /// What success looks like. By default a status from 200 to 299, and no HTML; and the values that are read are there.
    pub success: Option<SuccessConfig>,
}

/// A user name and a password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The user name, a template.
    pub username: Secret,
    /// The password, a template.
    pub password: Secret,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Login,
    Refresh,
    Logout,
}

/// A request that can be made for a caller.
#[derive(Debug)]
pub(crate) struct Request {
    role: Role,
    method: Method,
    url: Url,
    /// Its headers, query parameters and cookies: a profile places values on a request in the same way.
    fields: Placements,
    basic: Option<(Template, Template)>,
    body: Body,
    success: Success,
}

impl Request {
    /// `login` is the origin of the login, where this is another request.
    pub(crate) fn new(
        role: Role,
        config: RequestConfig,
        known: &Known<'_>,
        login: Option<&Origin>,
    ) -> Result<Self, Error> {
        let tables: &[&str] = if role == Role::Login { &["variables"] } else { &["variables", "answer"] };
        let method = config.method.as_deref().unwrap_or("POST");
        let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| {
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
        });
        let method =
            method.ok_or_else(|| Error::config("is no method, like POST, in capitals").at("method"))?;
        if role == Role::Logout && config.success.is_some() {
            return Err(Error::config("is of no use: nothing depends on a logout's answer").at("success"));
        }
        let mut fields = Placements::new(tables);
        let body = Body::new(config.json, config.form, config.body, tables)?;
        let has = |name: &str| config.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        if config.basic.is_some() && has("authorization") {
            return Err(Error::config("is made by `basic`; keep one of them")
                .at("Authorization")
                .at("headers"));
        }
        if matches!(body, Body::Text(_)) && !has("content-type") {
            return Err(Error::config("needs `headers.Content-Type`, which says what it is").at("body"));
        }
        let defaults =
            [("accept", Some("application/json, */*;q=0.5")), ("content-type", body.content_type())];
        let defaults: Vec<_> = defaults.into_iter().filter(|(name, _)| !has(name)).collect();
        fields.add("headers", Place::Header, config.headers)?;
        for (name, value) in defaults {
            if let Some(value) = value {
                fields.add("headers", Place::Header, [(name.to_owned(), value.into())].into())?;
            }
        }
        fields.add("query_parameters", Place::Query, config.query_parameters)?;
        fields.add("cookies", Place::Cookie, config.cookies)?;
        known.has_all_of(&fields)?;
        let basic =
            config.basic.map(|basic| basic.templates(tables)).transpose().map_err(|e| e.at("basic"))?;
        let url = Url::new(&config.url, tables, login).map_err(|error| error.at("url"))?;
        let success =
            Success::new(config.success.unwrap_or_default()).map_err(|error| error.at("success"))?;
        let request = Self { role, method, url, fields, basic, body, success };
        for (template, setting) in request.templates() {
            for table in ["variables", "answer"] {
                for name in template.names(table) {
                    known.has(table, name).map_err(|error| error.at(setting))?;
                }
            }
        }
        Ok(request)
    }

    pub(crate) const fn success(&self) -> &Success {
        &self.success
    }

    pub(crate) const fn origin(&self) -> &Origin {
        self.url.origin()
    }

    pub(crate) fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        let templates = self.templates().into_iter().map(|(template, _)| template);
        templates.flat_map(Template::caller_attributes).chain(self.fields.caller_attributes())
    }

    /// The request for a caller, and what of it is not to be repeated.
    ///
    /// # Errors
    /// When the caller lacks an attribute, or something comes out that cannot be sent.
    pub(crate) fn make(
        &self,
        caller: &Caller,
        tables: &[(&str, &Table)],
    ) -> Result<(HttpRequest, Withheld), Error> {
        let mut sent = Withheld::default();
        let role = self.role.setting();
        let at = |error: Error| match error.field() {
            Some(_) => error.at(role),
            None => error,
        };
        let mut url = self.url.render(caller, tables, &mut sent).map_err(|error| error.at("url").at(role))?;
        let mut request = HttpRequest::new(self.method.as_str(), "");
        let mut cookies = Vec::new();
        for placement in self.fields.place(Credential::new(), caller, tables).map_err(at)?.placements() {
            let (name, value) = (&placement.name, placement.value.expose());
            if !matches!(&**name, "accept" | "content-type") {
                sent.add(value);
            }
            match placement.place {
                Place::Header => request = request.header(name, placement.value.clone()),
                Place::Query => {
                    url.push(if url.contains('?') { '&' } else { '?' });
                    let mut pair = form_urlencoded::Serializer::new(String::new());
                    // `+` is a space in forms only; `%20` is one everywhere.
                    url.push_str(&pair.append_pair(name, value).finish().replace('+', "%20"));
                }
                Place::Cookie => cookies.push(format!("{name}={value}")),
            }
        }
        if !cookies.is_empty() {
            request = request.header("cookie", Secret::new(cookies.join("; ")));
        }
        if let Some((username, password)) = &self.basic {
            let (username, password) = (
                username.render_over(caller, tables).map_err(at)?,
                password.render_over(caller, tables).map_err(at)?,
            );
            if username.contains(':') {
                let message = "comes out with a colon, which ends a user name (RFC 7617 §2)";
                return Err(Error::config(message).at("username").at("basic").at(role));
            }
            let pair = Secret::new(format!("{username}:{password}"));
            [&username, &password, pair.expose()].into_iter().for_each(|text| sent.add(text));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair.expose())));
        }
        request = self.body.put(request, caller, tables, &mut sent).map_err(at)?;
        request.url = url;
        Ok((request, sent))
    }

    /// Says in an error whose answer it is about. Path and query stay out: some hold a tenant's key.
    pub(crate) fn named(&self, error: &Error) -> Error {
        let what = self.role.setting();
        let named = Error::new(error.kind(), format!("{what} at {}: {}", self.origin(), error.message()));
        match error.retry_after() {
            Some(wait) => named.with_retry_after(wait),
            None => named,
        }
    }

    fn templates(&self) -> Vec<(&Template, &'static str)> {
        let basic = self.basic.iter().flat_map(|(username, password)| [username, password]);
        let body = match self.body {
            Body::Json(_) => "json",
            Body::Form(_) => "form",
            Body::Text(_) | Body::None => "body",
        };
        let of = |setting| move |template| (template, setting);
        let url = self.url.templates().map(of("url"));
        url.chain(basic.map(of("basic"))).chain(self.body.templates().into_iter().map(of(body))).collect()
    }
}

impl Role {
    const fn setting(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Logout => "logout",
        }
    }
}

impl BasicConfig {
    fn templates(self, tables: &[&str]) -> Result<(Template, Template), Error> {
        let (username, password) = (self.username.without_line_end(), self.password.without_line_end());
        for (text, setting) in [(&username, "username"), (&password, "password")] {
            if text.expose().chars().any(char::is_control) {
                return Err(Error::config("holds a control character (RFC 7617 §2)").at(setting));
            }
        }
        if username.expose().is_empty() {
            return Err(Error::config("is empty; a source that gives nothing?").at("username"));
        }
        Ok((
            template(username.expose(), tables).map_err(|error| error.at("username"))?,
            template(password.expose(), tables).map_err(|error| error.at("password"))?,
        ))
    }
}
