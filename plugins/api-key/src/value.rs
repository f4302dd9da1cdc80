use countersign::{Caller, Error, Place, Secret, Template};

/// What is placed: known from the start, or made from the caller.
#[derive(Debug)]
pub(crate) enum Value {
    Known(Secret),
    FromCaller(Template),
}

impl Value {
    /// A value that is taken as it is.
    pub(crate) fn literal(place: Place, text: Secret) -> Result<Self, Error> {
        let text = text.without_line_end();
        check(place, text.expose())?;
        Ok(Self::Known(text))
    }

    /// A value that may have holes for the caller's attributes.
    pub(crate) fn template(place: Place, text: Secret) -> Result<Self, Error> {
        let text = text.without_line_end();
        // The template's own words name what stands in the holes, and this text may be a key.
        let template = Template::parse(text.expose()).map_err(|_| {
            Error::config(
                "is no template: `{{ caller.NAME }}` alone makes a hole; a key with braces goes into `key`",
            )
        })?;
        if template.caller_attributes().next().is_some() {
            return Ok(Self::FromCaller(template));
        }
        Self::literal(place, template.render(&Caller::new())?.into())
    }

    pub(crate) fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        let template = match self {
            Self::Known(_) => None,
            Self::FromCaller(template) => Some(template),
        };
        template.into_iter().flat_map(Template::caller_attributes)
    }

    pub(crate) fn render(&self, place: Place, caller: &Caller) -> Result<Secret, Error> {
        match self {
            Self::Known(value) => Ok(value.clone()),
            Self::FromCaller(template) => {
                let value = Secret::new(template.render(caller)?);
                check(place, value.expose())?;
                Ok(value)
            }
        }
    }
}

fn check(place: Place, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::config("is empty; a source that gives nothing?"));
    }
    place.check_value(value)
}
