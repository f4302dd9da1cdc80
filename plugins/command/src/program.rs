use std::collections::BTreeMap;

use countersign::protocol::Run;
use countersign::{Context, Error, HttpHeader, Period, Secret, Template, Withheld};

use crate::format::ApiVersion;

/// What a program needs to find its own files, whoever wrote it.
const INHERITED: [&str; 5] = ["HOME", "LANG", "PATH", "TMPDIR", "USER"];

/// Kubernetes tells a program by this variable what is asked of it.
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";

/// A program, and how it is run.
#[derive(Debug)]
pub(crate) struct Program {
    path: String,
    arguments: Vec<Template>,
    inherit: Vec<String>,
    environment: Vec<(String, Template)>,
    folder: Option<String>,
    timeout: Period,
    quotes_errors: bool,
}

impl Program {
    pub(crate) fn new(
        command: Vec<Secret>,
        inherit: Option<Vec<String>>,
        environment: BTreeMap<String, Secret>,
        folder: Option<String>,
        timeout: Period,
        quotes_errors: bool,
        api_version: Option<ApiVersion>,
    ) -> Result<Self, Error> {
        let mut words = command.into_iter();
        let path = words.next().map(|path| path.expose().clone()).unwrap_or_default();
        if path.trim().is_empty() {
            return Err(Error::config("names no program: `[\"program\", \"argument\"]`").at("command"));
        }
        let at = |error: Error, index: usize| error.at(format!("[{index}]")).at("command");
        no_nul(&path).map_err(|error| at(error, 0))?;
        if path.contains("{{") || path.contains("{%") {
            return Err(at(Error::config("has a hole; the caller has no say in which program is run"), 0));
        }
        if path.contains(' ') && !path.contains('/') && words.len() == 0 {
            let message = "looks like a whole command line; no shell reads it, so give each argument as a text of its own";
            return Err(at(Error::config(message), 0));
        }
        let mut arguments = Vec::new();
        for (index, word) in words.enumerate() {
            let word = word.without_line_end();
            arguments.push(template(word.expose()).map_err(|error| at(error, index + 1))?);
        }
        let inherit = inherit.unwrap_or_else(|| INHERITED.map(str::to_owned).to_vec());
        for (index, name) in inherit.iter().enumerate() {
            variable(name).map_err(|error| error.at(format!("[{index}]")).at("inherit"))?;
        }
        let mut variables = Vec::new();
        for (name, value) in environment {
            let value = value.without_line_end();
            let template = variable(&name).and_then(|()| template(value.expose()));
            variables.push((name.clone(), template.map_err(|error| error.at(&*name).at("environment"))?));
        }
        if let Some(version) = api_version {
            if variables.iter().any(|(name, _)| name == EXEC_INFO) {
                let message = "is made by `format = \"exec-credential\"`; choose with `api_version`";
                return Err(Error::config(message).at(EXEC_INFO).at("environment"));
            }
            variables.push((EXEC_INFO.to_owned(), Template::literal(&version.exec_info())));
        }
        if folder.as_ref().is_some_and(String::is_empty) {
            return Err(Error::config("is empty; leave it out for the configuration's folder").at("folder"));
        }
        folder.as_deref().map_or(Ok(()), no_nul).map_err(|error| error.at("folder"))?;
        Ok(Self { path, arguments, inherit, environment: variables, folder, timeout, quotes_errors })
    }

    pub(crate) fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        let values = self.environment.iter().map(|(_, value)| value);
        self.arguments.iter().chain(values).flat_map(Template::caller_attributes)
    }

    /// What it prints, once it has ended well.
    ///
    /// # Errors
    /// [`Denied`](countersign::ErrorKind::Denied), when it ends with another status than 0.
    pub(crate) async fn output(&self, cx: &Context) -> Result<Secret<Vec<u8>>, Error> {
        let mut withheld = Withheld::default();
        let mut arguments = Vec::new();
        for (index, template) in self.arguments.iter().enumerate() {
            let at = |error: Error| error.at(format!("[{}]", index + 1)).at("command");
            let argument = template.render(cx.callers()).map_err(at)?;
            no_nul(&argument).map_err(at)?;
            // What begins with `-` is an option, which is the operator's to give.
            if argument.starts_with('-') && !template.source().starts_with('-') {
                return Err(at(Error::config(
                    "comes out as an option (`-…`), which no attribute of a caller may be",
                )));
            }
            // `--password=…`: what is behind the first `=`; an option's name may be repeated.
            let value = if argument.starts_with('-') {
                argument.split_once('=').map(|(_, value)| value)
            } else {
                Some(&*argument)
            };
            value.into_iter().for_each(|value| withheld.add(value));
            arguments.push(argument);
        }
        let mut environment = Vec::new();
        for (name, template) in &self.environment {
            let at = |error: Error| error.at(name.as_str()).at("environment");
            let value = template.render(cx.callers()).map_err(at)?;
            no_nul(&value).map_err(at)?;
            withheld.add(&value);
            environment.push(HttpHeader { name: name.clone(), value: value.into() });
        }
        let run = Run {
            program: self.path.clone(),
            arguments,
            inherit: self.inherit.clone(),
            environment,
            folder: self.folder.clone(),
            keeps_errors: self.quotes_errors,
            timeout: self.timeout.into(),
        };
        let ran = cx.run(run).await?;
        if ran.status == Some(0) {
            return Ok(ran.output);
        }
        for name in self.inherit.iter().filter(|name| !INHERITED.contains(&name.as_str())) {
            if let Ok(Some(value)) = cx.variable(name).await {
                withheld.add(value.expose());
            }
        }
        let says = last_line(ran.errors.expose()).and_then(|line| withheld.quote(line));
        let says = says.map_or_else(String::new, |says| format!("; it says: {says}"));
        match ran.status {
            Some(status) => Err(self.named(&Error::denied(format!("ended with exit status {status}{says}")))),
            None => Err(self.named(&Error::unavailable(format!("was ended by a signal{says}")))),
        }
    }

    /// Says in an error which program it is about.
    pub(crate) fn named(&self, error: &Error) -> Error {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        let named = Error::new(error.kind(), format!("the program `{name}` {}", error.message()));
        match error.field() {
            Some(field) => Error::new(error.kind(), error.message()).at(field),
            None => named,
        }
    }
}

/// What is said last says most of the time why.
fn last_line(errors: &[u8]) -> Option<&str> {
    let start = errors.iter().rev().skip_while(|byte| byte.is_ascii_whitespace());
    let end = start.clone().count();
    let line = start.take_while(|byte| **byte != b'\n').count();
    let bytes = errors.get(end - line..end)?;
    // The beginning may be cut within a character.
    let begins = bytes.iter().position(|byte| (*byte as i8) >= -0x40)?;
    std::str::from_utf8(bytes.get(begins..)?).ok()
}

/// The template's own words would name what stands in the holes, and this text may be a secret.
fn template(text: &str) -> Result<Template, Error> {
    no_nul(text)?;
    Template::parse(text).map_err(|_| Error::config("is no template: `{{ caller.NAME }}` alone makes a hole"))
}

fn variable(name: &str) -> Result<(), Error> {
    match !name.is_empty() && !name.contains(['=', '\0']) {
        true => Ok(()),
        false => Err(Error::config("is no name of a variable")),
    }
}

fn no_nul(text: &str) -> Result<(), Error> {
    match text.contains('\0') {
        true => Err(Error::config("holds a NUL, which no program can be given")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_last_that_says_something() {
        for (errors, line) in [
            (&b"a\nb\n\n \r\n"[..], Some("b")),
            (b"a", Some("a")),
            (b"", None),
            (b"\n \n", None),
            (b"\xa4 cut", Some(" cut")),
            (b"bad \xff\xfe", None),
        ] {
            assert_eq!(last_line(errors), line, "{errors:?}");
        }
    }
}
