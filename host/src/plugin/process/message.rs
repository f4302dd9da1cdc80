//! What is said to a plugin's process, as lines.

use std::fmt::Write as _;
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

/// A question, all but the numbers: it can be asked again in another process. It may hold secrets, and is wiped.
pub(super) struct Question {
    name: &'static str,
    /// What the numbers are of.
    numbered: &'static [&'static str],
    /// A JSON object.
    content: Secret<Vec<u8>>,
}

impl Question {
    /// Which types there are.
    pub(super) fn manifest() -> Result<Self, Error> {
        Self::new("manifest", &[], &Nothing {})
    }

    /// Makes an instance; of the number that the instance shall have.
    pub(super) fn create(type_name: &str, settings: &Value) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Create<'a> {
            r#type: &'a str,
            settings: &'a Value,
        }
        Self::new("create", &["profile"], &Create { r#type: type_name, settings })
    }

    /// An instance's public keys; of its number.
    pub(super) fn public_keys() -> Result<Self, Error> {
        Self::new("public-keys", &["profile"], &Nothing {})
    }

    /// Begins a conversation; of the instance's number, and the one that the conversation shall have.
    pub(super) fn start(input: &Start) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Begin<'a> {
            input: &'a Start,
        }
        Self::new("start", &["profile", "conversation"], &Begin { input })
    }

    /// Goes on with a conversation; of its number.
    pub(super) fn resume(input: &Resume) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct GoOn<'a> {
            input: &'a Resume,
        }
        Self::new("resume", &["conversation"], &GoOn { input })
    }

    /// Makes a signer; of the instance's number, and the one that the signer shall have.
    pub(super) fn signer(credential: &Credential) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct MakeSigner<'a> {
            credential: &'a Credential,
        }
        Self::new("signer", &["profile", "signer"], &MakeSigner { credential })
    }

    /// Signs a request; of the signer's number.
    pub(super) fn sign(now: SystemTime, request: &SignRequest) -> Result<Self, Error> {
        #[derive(Serialize)]
        struct Sign<'a> {
            now: u64,
            request: &'a SignRequest,
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self::new("sign", &["signer"], &Sign { now, request })
    }

    fn new(
        name: &'static str,
        numbered: &'static [&'static str],
        content: &impl Serialize,
    ) -> Result<Self, Error> {
        let mut wiped = Wiped(Secret::new(Vec::with_capacity(1024)));
        serde_json::to_writer(&mut wiped, content)
            .map_err(|_| Error::internal("a message to the plugin does not serialize to JSON"))?;
        Ok(Self { name, numbered, content: wiped.0 })
    }

    /// The line that asks it under that number, of those numbers.
    pub(super) fn line(&self, id: u64, of: &[u64]) -> Secret<Vec<u8>> {
        let mut head = format!("{{\"{}\":{{\"id\":{id}", self.name);
        for (name, number) in self.numbered.iter().zip(of) {
            // Writing to a string cannot fail.
            let _ = write!(head, ",\"{name}\":{number}");
        }
        let content = self.content.expose();
        if content.len() > 2 {
            head.push(',');
        }
        let mut line = Vec::with_capacity(head.len() + content.len() + 2);
        line.extend_from_slice(head.as_bytes());
        line.extend_from_slice(content.get(1..).unwrap_or_default());
        line.extend_from_slice(b"}\n");
        Secret::new(line)
    }
}

#[derive(Serialize)]
struct Nothing {}

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

    fn parsed(question: &Question, of: &[u64]) -> ToPlugin {
        let line = question.line(7, of);
        let (lf, message) = line.expose().split_last().unwrap();
        assert!(*lf == b'\n' && !message.contains(&b'\n'));
        serde_json::from_slice(message).unwrap()
    }

    #[test]
    fn questions_are_messages_of_the_protocol() {
        let now = UNIX_EPOCH + Duration::from_millis(1234);
        assert!(
            matches!(parsed(&Question::manifest().unwrap(), &[]), ToPlugin::Manifest(ask) if ask.id == 7)
        );
        let settings = json!({"a": "line\nand another", "b": [1, 2]});
        let ToPlugin::Create(create) = parsed(&Question::create("x", &settings).unwrap(), &[3]) else {
            panic!()
        };
        assert_eq!((create.id, create.profile, create.type_name.as_str()), (7, 3, "x"));
        assert_eq!(create.settings, settings);
        let ToPlugin::Start(begin) = parsed(&Question::start(&Start::at(now)).unwrap(), &[3, 4]) else {
            panic!()
        };
        assert_eq!((begin.id, begin.profile, begin.conversation, begin.input.now), (7, 3, 4, now));
        let go_on = Question::resume(&Resume { now, event: Event::Slept }).unwrap();
        let ToPlugin::Resume(go_on) = parsed(&go_on, &[4]) else { panic!() };
        assert_eq!((go_on.id, go_on.conversation, go_on.input.now), (7, 4, now));
        let make = Question::signer(&Credential::header("x-key", "s")).unwrap();
        let ToPlugin::Signer(make) = parsed(&make, &[3, 5]) else { panic!() };
        assert_eq!((make.id, make.profile, make.signer), (7, 3, 5));
        let request = SignRequest {
            method: "GET".into(),
            headers: vec![SignHeader { name: "a".into(), value: Secret::new(vec![0xff, 1]) }],
            ..SignRequest::default()
        };
        let ToPlugin::Sign(sign) = parsed(&Question::sign(now, &request).unwrap(), &[5]) else { panic!() };
        assert_eq!((sign.id, sign.signer, sign.now), (7, 5, now));
        assert_eq!(sign.request.headers[0].value.expose(), &[0xff, 1]);
        let keys = parsed(&Question::public_keys().unwrap(), &[3]);
        assert!(matches!(keys, ToPlugin::PublicKeys(of) if (of.id, of.profile) == (7, 3)));
    }
}
