use std::any::Any;
use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A value that must not be seen: wiped from memory when dropped, never printed.
///
/// It has no `Display` and no `Serialize`, and its `Debug` is blind. The way out is
/// [`expose`](Secret::expose) (and [`take`](Secret::take), which hands the value over), so that a search for these
/// words finds every place where a secret is looked at.
///
/// # Example
/// ```
/// use countersign::Secret;
///
/// let key = Secret::new(String::from("s3cr3t"));
/// assert_eq!(format!("{key:?}"), "Secret(…)");
/// assert_eq!(key.expose(), "s3cr3t");
/// ```
#[derive(Clone, Default)]
pub struct Secret<T: Zeroize + 'static = String>(T);

impl<T: Zeroize + 'static> Secret<T> {
    /// Takes charge of a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself: the one exit. Whoever calls it answers for where the value goes.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The value, to add to it. What grows leaves a copy behind that is not wiped, so there has to be room.
    pub(crate) const fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// Takes the value out and leaves an empty one; the new owner answers for wiping it.
    pub fn take(&mut self) -> T
    where
        T: Default,
    {
        std::mem::take(&mut self.0)
    }
}

impl Secret {
    /// The text without the line end that editors put behind the last line of a file, if it has one.
    #[must_use]
    pub fn without_line_end(mut self) -> Self {
        let text = self.0.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
        if let Some(len) = text.map(str::len) {
            self.0.truncate(len);
        }
        self
    }
}

impl<T: Zeroize + 'static> Drop for Secret<T> {
    // `Zeroize` wipes a vector byte by byte, and that of 200 bytes takes as long as to hash them. Which type it is, is
    // known when this is compiled.
    fn drop(&mut self) {
        let value: &mut dyn Any = &mut self.0;
        if let Some(text) = value.downcast_mut::<String>() {
            wipe(&mut std::mem::take(text).into_bytes());
        } else if let Some(bytes) = value.downcast_mut::<Vec<u8>>() {
            wipe(bytes);
        } else {
            self.0.zeroize();
        }
    }
}

/// All at once, with what it has room for.
fn wipe(bytes: &mut Vec<u8>) {
    // To fill nothing, at the address that an empty vector has, takes some processors 100 ns.
    if bytes.capacity() > bytes.len() {
        bytes.spare_capacity_mut().zeroize();
    }
    if !bytes.is_empty() {
        bytes.as_mut_slice().zeroize();
    }
}

impl<T: Zeroize + 'static> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize + 'static> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl<'de, T: Zeroize + 'static + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// In a schema a secret is a `writeOnly` string of format `password`, so that forms mask it.
impl<T: Zeroize + 'static + JsonSchema> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("format".into(), "password".into());
        schema.insert("writeOnly".into(), true.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_blind_even_inside_other_types() {
        let shown = format!("{:?}", Some(Secret::new(vec![1u8, 2, 3])));
        assert_eq!(shown, "Some(Secret(…))");
    }

    #[test]
    fn one_line_end_is_taken_off_and_no_more() {
        for (text, without) in
            [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("\n", ""), ("", "")]
        {
            assert_eq!(Secret::from(text).without_line_end().expose(), without, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_left_of_what_is_wiped() {
        let mut bytes = b"canary".to_vec();
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 6]);
    }

    #[test]
    fn schema_marks_the_value_as_secret() {
        let schema = SchemaGenerator::default().into_root_schema_for::<Secret>();
        assert_eq!(schema.get("writeOnly"), Some(&true.into()));
        assert_eq!(schema.get("format"), Some(&"password".into()));
    }
}
