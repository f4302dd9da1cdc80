//! What is said to a plugin's process, as lines.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use countersign::protocol::frame::{Cancel, Forget, HostHello, SignRequest, ToPlugin, VERSION};
use countersign::protocol::{Resume, Start};
use countersign::respondent::append;
use countersign::{Credential, Error, Secret};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroize;

use crate::plugin::log::PluginLog;

/// A question, all but its number: it can be asked again in another process. It may hold secrets, and is wiped.
pub(super) struct Question {
    name: &'static str,
    /// A JSON object.
    content: Secret<Vec<u8>>,
}

impl Question {
    /// Which types there are.
    pub(super) fn manifest() -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Nothing {}
        Self::new("manifest", &Nothing {})
    }

    /// Makes an instance.
    pub(super) fn create(profile: u64, type_name: &str, settings: &Value) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Create<'a> {
            profile: u64,
            r#type: &'a str,
            settings: &'a Value,
        }
        Self::new("create", &Create { profile, r#type: type_name, settings })
    }

    /// An instance's public keys.
    pub(super) fn public_keys(profile: u64) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct OfProfile {
            profile: u64,
        }
        Self::new("public-keys", &OfProfile { profile })
    }

    /// Begins a conversation.
    pub(super) fn start(profile: u64, conversation: u64, input: &Start) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Begin<'a> {
            profile: u64,
            conversation: u64,
            input: &'a Start,
        }
        Self::new("start", &Begin { profile, conversation, input })
    }

    /// Goes on with a conversation.
    pub(super) fn resume(conversation: u64, input: &Resume) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct GoOn<'a> {
            conversation: u64,
            input: &'a Resume,
        }
        Self::new("resume", &GoOn { conversation, input })
    }

    /// Makes a signer.
    pub(super) fn signer(profile: u64, signer: u64, credential: &Credential) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct MakeSigner<'a> {
            profile: u64,
            signer: u64,
            credential: &'a Credential,
        }
        Self::new("signer", &MakeSigner { profile, signer, credential })
    }

    /// Signs a request.
    pub(super) fn sign(signer: u64, now: SystemTime, request: &SignRequest) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Sign<'a> {
            signer: u64,
            now: u64,
            request: &'a SignRequest,
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self::new("sign", &Sign { signer, now, request })
    }

    fn new(name: &'static str, content: &impl Serialize) -> Result<Self, Error> {
        let mut wiped = Wiped(Secret::new(Vec::with_capacity(1024)));
        serde_json::to_writer(&mut wiped, content)
            .map_err(|_| Error::internal("a message to the plugin does not serialize to JSON"))?;
        Ok(Self { name, content: wiped.0 })
    }

    /// The line that asks it under that number.
    pub(super) fn line(&self, id: u64) -> Secret<Vec<u8>> {
        let content = self.content.expose();
        let comma = if content.len() > 2 { "," } else { "" };
        let head = format!("{{\"{}\":{{\"id\":{id}{comma}", self.name);
        let mut line = Vec::with_capacity(head.len() + content.len() + 2);
        line.extend_from_slice(head.as_bytes());
        line.extend_from_slice(content.get(1..).unwrap_or_default());
        line.extend_from_slice(b"}\n");
        Secret::new(line)
    }
}

/// The greeting, as a line.
pub(super) fn hello() -> Result<Secret<Vec<u8>>, Error> {
    line(&ToPlugin::Hello(HostHello {
        protocol: VERSION.to_owned(),
        host: concat!("countersign ", env!("CARGO_PKG_VERSION")).to_owned(),
        features: Vec::new(),
        log_level: PluginLog::level(),
    }))
}

/// That a conversation is given up, as a line.
pub(super) fn cancel(conversation: u64) -> Result<Secret<Vec<u8>>, Error> {
    line(&ToPlugin::Cancel(Cancel { conversation }))
}

/// That an instance or a signer is given up, as a line.
pub(super) fn forget(what: Forget) -> Result<Secret<Vec<u8>>, Error> {
    line(&ToPlugin::Forget(what))
}

fn line(message: &ToPlugin) -> Result<Secret<Vec<u8>>, Error> {
    let mut line = Vec::with_capacity(128);
    append(message, &mut line)?;
    Ok(Secret::new(line))
}

/// Grows without leaving copies behind.
struct Wiped(Secret<Vec<u8>>);

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = self.0.take();
        if held.capacity() - held.len() < bytes.len() {
            let mut larger = Vec::with_capacity((held.len() + bytes.len()).next_power_of_two());
            larger.extend_from_slice(&held);
            held.zeroize();
            held = larger;
        }
        held.extend_from_slice(bytes);
        self.0 = Secret::new(held);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign::protocol::Event;
    use countersign::protocol::frame::SignHeader;
    use serde_json::json;

    use super::*;

    fn parsed(question: &Question) -> ToPlugin {
        let line = question.line(7);
        let (lf, message) = line.expose().split_last().unwrap();
        assert!(*lf == b'\n' && !message.contains(&b'\n'));
        serde_json::from_slice(message).unwrap()
    }

    #[test]
    fn questions_are_messages_of_the_protocol() {
        let now = UNIX_EPOCH + Duration::from_millis(1234);
        assert!(matches!(parsed(&Question::manifest().unwrap()), ToPlugin::Manifest(ask) if ask.id == 7));
        let settings = json!({"a": "line\nand another", "b": [1, 2]});
        let ToPlugin::Create(create) = parsed(&Question::create(3, "x", &settings).unwrap()) else {
            panic!()
        };
        assert_eq!((create.id, create.profile, create.type_name.as_str()), (7, 3, "x"));
        assert_eq!(create.settings, settings);
        let ToPlugin::Start(begin) = parsed(&Question::start(3, 4, &Start::at(now)).unwrap()) else {
            panic!()
        };
        assert_eq!((begin.id, begin.profile, begin.conversation, begin.input.now), (7, 3, 4, now));
        let ToPlugin::Resume(go_on) =
            parsed(&Question::resume(4, &Resume { now, event: Event::Slept }).unwrap())
        else {
            panic!()
        };
        assert_eq!((go_on.id, go_on.conversation, go_on.input.now), (7, 4, now));
        let credential = Credential::header("x-key", "s");
        let ToPlugin::Signer(make) = parsed(&Question::signer(3, 5, &credential).unwrap()) else { panic!() };
        assert_eq!((make.id, make.profile, make.signer), (7, 3, 5));
        let request = SignRequest {
            method: "GET".into(),
            headers: vec![SignHeader { name: "a".into(), value: Secret::new(vec![0xff, 1]) }],
            ..SignRequest::default()
        };
        let ToPlugin::Sign(sign) = parsed(&Question::sign(5, now, &request).unwrap()) else { panic!() };
        assert_eq!((sign.id, sign.signer, sign.now), (7, 5, now));
        assert_eq!(sign.request.headers[0].value.expose(), &[0xff, 1]);
        assert!(matches!(
            parsed(&Question::public_keys(3).unwrap()),
            ToPlugin::PublicKeys(of) if (of.id, of.profile) == (7, 3)
        ));
    }
}
