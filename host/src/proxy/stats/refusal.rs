/// Why the proxy itself refused something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The client did not show that it may use the proxy.
    Access,
    /// `Host` is none of ours.
    Host,
    /// The request comes from a web page.
    Origin,
    /// The head is not one that everybody reads alike.
    Head,
    /// No connector is meant.
    Connector,
    /// A caller attribute is missing or ill-formed.
    Caller,
    /// The path leads out of the connector.
    Path,
    /// The body is longer than what may be held in memory.
    Body,
    /// There are too many connections, or calls of the connector, at a time.
    TooMany,
}

impl Refusal {
    pub(super) const ALL: [Self; 9] = [
        Self::Access,
        Self::Host,
        Self::Origin,
        Self::Head,
        Self::Connector,
        Self::Caller,
        Self::Path,
        Self::Body,
        Self::TooMany,
    ];

    pub(super) const fn is_of_a_connector(self) -> bool {
        matches!(self, Self::Caller | Self::Path | Self::Body)
    }

    /// The reason's name in metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Head => "head",
            Self::Connector => "connector",
            Self::Caller => "caller",
            Self::Path => "path",
            Self::Body => "body",
            Self::TooMany => "too-many",
        }
    }
}
