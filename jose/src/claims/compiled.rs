use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Caller, Error, Template};
use serde_json::Value;

use super::config::{Audience, ClaimsConfig};

/// Claims made ready: the JSON text with holes, so that a token's payload is copying and filling in.
#[derive(Debug)]
pub(crate) struct Claims {
    pieces: Box<[Piece]>,
    /// How long the payload was likely to be, in bytes.
    expected_bytes: usize,
}

#[derive(Debug)]
enum Piece {
    /// JSON text as it is.
    Json(Box<[u8]>),
    /// A text over the caller.
    Text(Box<Text>),
    /// `iat` and `nbf`.
    Start,
    /// `exp`.
    End,
    /// `jti`.
    Name,
}

/// A text over the caller, and where it was configured.
#[derive(Debug)]
struct Text {
    template: Template,
    path: String,
    may_be_empty: bool,
}

/// What differs from token to token besides the caller. Seconds since 1970 (NumericDate, RFC 7519 §2).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) name: [u8; 16],
}

/// Registered claims (RFC 7519 §4.1) and the setting that each has.
const REGISTERED: [(&str, &str); 7] = [
    ("iss", "issuer"),
    ("sub", "subject"),
    ("aud", "audience"),
    ("exp", "lifetime"),
    ("nbf", "nbf"),
    ("iat", "iat"),
    ("jti", "jti"),
];

impl Claims {
    /// Checks the settings and turns them into JSON with holes.
    pub(crate) fn compile(config: &ClaimsConfig) -> Result<Self, Error> {
        if config.lifetime.as_secs() == 0 {
            return Err(
                Error::config("is zero, so no token would ever be valid; use at least \"1s\"").at("lifetime")
            );
        }
        let mut claims = Builder::default();
        if let Some(issuer) = &config.issuer {
            claims.member("iss").registered(issuer, "issuer")?;
        }
        if let Some(subject) = &config.subject {
            claims.member("sub").registered(subject, "subject")?;
        }
        if let Some(audience) = &config.audience {
            claims.member("aud").audience(audience)?;
        }
        for (name, wanted, piece) in [
            ("jti", config.jti, Piece::Name),
            ("iat", config.iat, Piece::Start),
            ("nbf", config.nbf, Piece::Start),
            ("exp", true, Piece::End),
        ] {
            if wanted {
                claims.member(name).hole(piece);
            }
        }
        for (name, value) in &config.claims {
            if let Some((_, setting)) = REGISTERED.iter().find(|(registered, _)| registered == name) {
                let way_out = format!("has a setting of its own: set `{setting}` instead");
                return Err(Error::config(way_out).at(name.as_str()).at("claims"));
            }
            claims.member(name).value(value, &format!("claims.{name}"))?;
        }
        Ok(claims.finish())
    }

    /// The claims of a client assertion (RFC 7523 §3), in which no text is a template.
    pub(crate) fn of_client(client_id: &str, audience: &str) -> Self {
        let mut claims = Builder::default();
        for (name, text) in [("iss", client_id), ("sub", client_id), ("aud", audience)] {
            write_text(&mut claims.member(name).json, text);
        }
        claims.member("jti").hole(Piece::Name);
        claims.member("iat").hole(Piece::Start);
        claims.member("exp").hole(Piece::End);
        claims.finish()
    }

    /// The caller attributes that some claim reads.
    pub(crate) fn caller_attributes(&self) -> BTreeSet<&str> {
        let templates = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&text.template),
            _ => None,
        });
        templates.flat_map(Template::caller_attributes).collect()
    }

    /// The payload of one token.
    pub(crate) fn render(&self, caller: &Caller, moment: &Moment) -> Result<Vec<u8>, Error> {
        let mut json = Vec::with_capacity(self.expected_bytes);
        for piece in &self.pieces {
            match piece {
                Piece::Json(text) => json.extend_from_slice(text),
                Piece::Text(text) => {
                    let Text { template, path, may_be_empty } = &**text;
                    let text = template.fill(caller).map_err(|error| error.at(path.as_str()))?;
                    if text.is_empty() && !may_be_empty {
                        return Err(Error::config("comes out empty for this caller").at(path.as_str()));
                    }
                    write_text(&mut json, &text);
                }
                Piece::Start => write_number(&mut json, moment.start),
                Piece::End => write_number(&mut json, moment.end),
                Piece::Name => {
                    let mut name = [0; 22];
                    let length = URL_SAFE_NO_PAD.encode_slice(moment.name, &mut name).unwrap_or(0);
                    json.push(b'"');
                    json.extend_from_slice(&name[..length]);
                    json.push(b'"');
                }
            }
        }
        Ok(json)
    }
}

#[derive(Default)]
struct Builder {
    json: Vec<u8>,
    pieces: Vec<Piece>,
    expected_bytes: usize,
    members: usize,
}

impl Builder {
    fn member(&mut self, name: &str) -> &mut Self {
        self.json.push(if self.members == 0 { b'{' } else { b',' });
        self.members += 1;
        write_text(&mut self.json, name);
        self.json.push(b':');
        self
    }

    fn hole(&mut self, piece: Piece) {
        let json = std::mem::take(&mut self.json);
        self.expected_bytes += json.len() + 32;
        self.pieces.extend([Piece::Json(json.into()), piece]);
    }

    /// A text that must not be empty: an empty `sub` would be a token about nobody.
    fn registered(&mut self, template: &Template, path: &str) -> Result<(), Error> {
        self.template(template, path, false)
    }

    fn audience(&mut self, audience: &Audience) -> Result<(), Error> {
        let several = match audience {
            Audience::One(one) => return self.registered(one, "audience"),
            Audience::Several(several) => several,
        };
        if several.is_empty() {
            return Err(Error::config("is an empty list; name at least one, or leave it out").at("audience"));
        }
        for (index, one) in several.iter().enumerate() {
            self.json.push(if index == 0 { b'[' } else { b',' });
            self.registered(one, &format!("audience[{index}]"))?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn value(&mut self, value: &Value, path: &str) -> Result<(), Error> {
        match value {
            Value::String(text) => {
                let template = Template::parse(text).map_err(|error| error.at(path))?;
                self.template(&template, path, true)
            }
            Value::Array(items) => {
                self.json.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.json.push(b',');
                    }
                    self.value(item, &format!("{path}[{index}]"))?;
                }
                self.json.push(b']');
                Ok(())
            }
            Value::Object(members) => {
                self.json.push(b'{');
                for (index, (name, member)) in members.iter().enumerate() {
                    if index > 0 {
                        self.json.push(b',');
                    }
                    write_text(&mut self.json, name);
                    self.json.push(b':');
                    self.value(member, &format!("{path}.{name}"))?;
                }
                self.json.push(b'}');
                Ok(())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                self.json.extend_from_slice(value.to_string().as_bytes());
                Ok(())
            }
        }
    }

    fn template(&mut self, template: &Template, path: &str, may_be_empty: bool) -> Result<(), Error> {
        if template.caller_attributes().next().is_some() {
            let text = Text { template: template.clone(), path: path.to_owned(), may_be_empty };
            self.hole(Piece::Text(Box::new(text)));
            return Ok(());
        }
        // It reads nothing of the caller, so it comes out the same for everybody.
        let text = template.render(&Caller::new()).map_err(|error| error.at(path))?;
        if text.is_empty() && !may_be_empty {
            return Err(Error::config("is empty; give it a value or leave it out").at(path));
        }
        write_text(&mut self.json, &text);
        Ok(())
    }

    fn finish(mut self) -> Claims {
        self.json.push(b'}');
        self.expected_bytes += self.json.len();
        self.pieces.push(Piece::Json(self.json.into()));
        Claims { pieces: self.pieces.into(), expected_bytes: self.expected_bytes }
    }
}

/// Writes a JSON string. (Writing to memory cannot fail.)
fn write_text(json: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(json, text);
}

fn write_number(json: &mut Vec<u8>, number: u64) {
    let _ = serde_json::to_writer(json, &number);
}
