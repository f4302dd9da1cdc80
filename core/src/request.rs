use abi_stable::StableAbi;
use abi_stable::std_types::{ROption, RSlice, RStr};

/// A request as a signing type sees it: borrowed views, the same in every home of a profile.
///
/// Path and query are as they will go over the wire (percent-encoded). The headers are those that are on the request
/// when this profile's turn comes, in order, names in lower case.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct RequestHead<'a> {
    method: RStr<'a>,
    scheme: RStr<'a>,
    authority: RStr<'a>,
    path: RStr<'a>,
    query: ROption<RStr<'a>>,
    headers: RSlice<'a, HeaderView<'a>>,
    body: ROption<RSlice<'a, u8>>,
    /// Room for parts that a later host may name, so that this layout never has to change.
    further: RSlice<'a, HeaderView<'a>>,
}

impl<'a> RequestHead<'a> {
    /// A request without query, headers and body.
    pub fn new(method: &'a str, scheme: &'a str, authority: &'a str, path: &'a str) -> Self {
        Self {
            method: method.into(),
            scheme: scheme.into(),
            authority: authority.into(),
            path: path.into(),
            query: ROption::RNone,
            headers: RSlice::EMPTY,
            body: ROption::RNone,
            further: RSlice::EMPTY,
        }
    }

    /// With a query, without its `?`.
    #[must_use]
    pub fn with_query(mut self, query: Option<&'a str>) -> Self {
        self.query = query.map(RStr::from).into();
        self
    }

    /// With header fields.
    #[must_use]
    pub fn with_headers(mut self, headers: &'a [HeaderView<'a>]) -> Self {
        self.headers = headers.into();
        self
    }

    /// With the body, for profiles whose [`Inputs`](crate::Inputs) read it.
    #[must_use]
    pub fn with_body(mut self, body: Option<&'a [u8]>) -> Self {
        self.body = body.map(RSlice::from).into();
        self
    }

    /// With what the API said before, each under the header field's name in lower case.
    #[must_use]
    pub fn with_learned(mut self, learned: &'a [HeaderView<'a>]) -> Self {
        self.further = learned.into();
        self
    }

    /// The method, in capitals.
    pub fn method(&self) -> &'a str {
        self.method.as_str()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'a str {
        self.scheme.as_str()
    }

    /// Host and, where it is not the scheme's own, port (RFC 9110 §7.2).
    pub fn authority(&self) -> &'a str {
        self.authority.as_str()
    }

    /// The path; never empty.
    pub fn path(&self) -> &'a str {
        self.path.as_str()
    }

    /// The query without its `?`, if the URL has one.
    pub fn query(&self) -> Option<&'a str> {
        self.query.into_option().map(|query| query.as_str())
    }

    /// The header fields.
    pub fn headers(&self) -> &'a [HeaderView<'a>] {
        self.headers.as_slice()
    }

    /// The values of a header field, in order; the name in lower case.
    pub fn header<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.headers().iter().filter(move |header| header.name() == name).map(HeaderView::value)
    }

    /// What the API said last in a header field of its answers, if the credential [learns](crate::Credential::learning) it
    /// and there was one; the name in lower case.
    pub fn learned(&self, name: &str) -> Option<&'a [u8]> {
        self.all_learned().iter().find(|header| header.name() == name).map(HeaderView::value)
    }

    /// All that was learned.
    pub(crate) fn all_learned(&self) -> &'a [HeaderView<'a>] {
        self.further.as_slice()
    }

    /// The body: `None` when the profile did not declare that it reads it.
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body.into_option().map(|body| body.as_slice())
    }
}

/// One header field, borrowed.
#[repr(C)]
#[derive(StableAbi, Clone, Copy)]
pub struct HeaderView<'a> {
    name: RStr<'a>,
    value: RSlice<'a, u8>,
}

impl<'a> HeaderView<'a> {
    /// A field; the name in lower case.
    pub fn new(name: &'a str, value: &'a [u8]) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// The name, in lower case.
    pub fn name(&self) -> &'a str {
        self.name.as_str()
    }

    /// The value.
    pub fn value(&self) -> &'a [u8] {
        self.value.as_slice()
    }
}
