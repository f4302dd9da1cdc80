use std::collections::BTreeMap;

use crate::{Caller, Credential, Error, Place, Places, Secret, Table, Template};

/// Headers, query parameters and cookies that settings name, each with a template over the caller and over what was
/// obtained: `headers = { X-Session = "{{ answer.token }}" }`.
///
/// For types whose operator says where the credential goes.
///
/// # Example
/// ```
/// use countersign::{Caller, Credential, Place, Placements, Table};
///
/// let mut placements = Placements::new(&["answer"]);
/// let headers = [("X-Session".to_owned(), "{{ answer.token }}".into())];
/// placements.add("headers", Place::Header, headers.into())?;
/// let answer = Table::from([("token".to_owned(), "t0k3n".into())]);
/// let credential = placements.place(Credential::new(), &Caller::new(), &[("answer", &answer)])?;
/// assert_eq!(credential.placements()[0].value.expose(), "t0k3n");
/// # Ok::<(), countersign::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Placements {
    tables: Vec<String>,
    placed: Vec<Placed>,
}

#[derive(Debug)]
struct Placed {
    place: Place,
    name: String,
    value: Template,
    /// The setting that it comes from.
    setting: String,
}

impl Placements {
    /// None yet; templates may read the caller and these tables.
    pub fn new(tables: &[&str]) -> Self {
        Self { tables: tables.iter().map(|table| (*table).to_owned()).collect(), placed: Vec::new() }
    }

    /// Adds what a setting says: values by name, all for one place. A line end at a value's end is not part of it.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) at `setting.NAME`, without the value: a name or value that the place cannot
    /// carry, a text that is no template, an empty one, the same place twice.
    pub fn add(
        &mut self,
        setting: &str,
        place: Place,
        values: BTreeMap<String, Secret>,
    ) -> Result<(), Error> {
        for (name, value) in values {
            let value = value.without_line_end();
            self.one(setting, place, &name, &value).map_err(|error| error.at(&*name).at(setting))?;
        }
        Ok(())
    }

    fn one(&mut self, setting: &str, place: Place, name: &str, value: &Secret) -> Result<(), Error> {
        place.check_name(name)?;
        let setting = format!("{setting}.{name}");
        // Names of headers are the same in any case (RFC 9110 §5.1), the others are not.
        let name = if place == Place::Header { name.to_ascii_lowercase() } else { name.to_owned() };
        if let Some(same) = self.placed.iter().find(|placed| placed.place == place && placed.name == name) {
            let same = &same.setting;
            return Err(Error::config(format!("places the same {place} as `{same}`; keep one of them")));
        }
        if value.expose().is_empty() {
            return Err(Error::config("is empty; a source that gives nothing?"));
        }
        let tables: Vec<&str> = self.tables.iter().map(String::as_str).collect();
        let value = Template::parse_over(value.expose(), &tables).map_err(|_| no_template(&tables))?;
        if value.is_literal() {
            place.check_value(value.source())?;
        }
        self.placed.push(Placed { place, name, value, setting });
        Ok(())
    }

    /// Whether nothing is placed.
    pub const fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Where values go, to be declared.
    pub fn places(&self) -> Places {
        self.placed.iter().fold(Places::none(), |places, placed| places.and(placed.place, &placed.name))
    }

    /// The caller attributes that the templates read.
    pub fn caller_attributes(&self) -> impl Iterator<Item = &str> {
        self.placed.iter().flat_map(|placed| placed.value.caller_attributes())
    }

    /// The names that the templates read of a table, each with the setting that reads it.
    pub fn names<'t>(&'t self, table: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
        let names =
            move |placed: &'t Placed| placed.value.names(table).map(|name| (name, placed.setting.as_str()));
        self.placed.iter().flat_map(names)
    }

    /// Adds the values to a credential. What reads a name that its table lacks is left out: whoever wants it to be there
    /// looks before.
    ///
    /// # Errors
    /// [`Config`](crate::ErrorKind::Config) at the setting, when the caller lacks an attribute, or the value is empty or one that
    /// the place cannot carry.
    pub fn place(
        &self,
        mut credential: Credential,
        caller: &Caller,
        tables: &[(&str, &Table)],
    ) -> Result<Credential, Error> {
        for Placed { place, name, value, setting } in &self.placed {
            let mut read =
                tables.iter().flat_map(|(table, texts)| value.names(table).map(move |name| (texts, name)));
            if read.any(|(texts, name)| !texts.contains_key(name)) {
                continue;
            }
            let rendered = value.render_over(caller, tables).map(Secret::new);
            let checked = rendered.and_then(|rendered| match rendered.expose().is_empty() {
                true => Err(Error::config("comes out empty")),
                false => place.check_value(rendered.expose()).map(|()| rendered),
            });
            credential = credential.and(*place, name, checked.map_err(|error| error.at(setting))?);
        }
        Ok(credential)
    }
}

/// The template's own words name what stands in the holes, and this text may be a secret.
fn no_template(tables: &[&str]) -> Error {
    let known: Vec<_> = tables.iter().map(|table| format!(" and `{{{{ {table}.NAME }}}}`")).collect();
    let known = known.concat();
    Error::config(format!("is no template: `{{{{ caller.NAME }}}}`{known} alone make holes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(place: Place, name: &str, value: &str) -> Result<Placements, Error> {
        let mut placements = Placements::new(&["answer"]);
        placements.add("x", place, [(name.to_owned(), value.into())].into())?;
        Ok(placements)
    }

    #[test]
    fn what_a_place_cannot_carry_is_refused_where_it_stands_and_not_quoted() {
        for (place, name, value) in [
            (Place::Header, "Host", "v"),
            (Place::Header, "X", "canary\r\n\r\n"),
            (Place::Cookie, "c", "canary canary"),
            (Place::Query, "q", ""),
            (Place::Query, "q", "{{ canary }}"),
            (Place::Query, "q", "{{ canary"),
        ] {
            let error = added(place, name, value).unwrap_err();
            assert_eq!(error.field(), Some(format!("x.{name}").as_str()));
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let mut twice = added(Place::Header, "X-A", "v").unwrap();
        let again = twice.add("y", Place::Header, [("x-a".to_owned(), "v".into())].into());
        assert!(again.unwrap_err().message().contains("`x.X-A`"));
    }

    #[test]
    fn what_comes_out_is_checked_and_what_is_not_there_is_left_out() {
        let placed = |value: &str| {
            let answer = Table::from([("t".to_owned(), value.into())]);
            let placements = added(Place::Cookie, "c", "{{ answer.t }}").unwrap();
            placements.place(Credential::new(), &Caller::new(), &[("answer", &answer)])
        };
        assert_eq!(placed("v").unwrap().placements()[0].value.expose(), "v");
        for value in ["", "canary; c=d"] {
            let error = placed(value).unwrap_err();
            assert_eq!(error.field(), Some("x.c"));
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        let missing = added(Place::Cookie, "c", "{{ answer.other }}").unwrap();
        let none = missing.place(Credential::new(), &Caller::new(), &[("answer", &Table::new())]).unwrap();
        assert!(none.placements().is_empty());
    }
}
