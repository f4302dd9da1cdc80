//! The egress proxy: HTTP in, the same call with its credential out.

// Until the proxy's other rooms use it.
#[allow(dead_code, unused_imports)]
pub(crate) mod upstream;
