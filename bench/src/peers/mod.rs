//! The peers of the hot path: each places the same token from its own cache, as its documentation says to, on its own
//! kind of request. None touches the network while it is measured.

mod aws_smithy;
mod azure_core;
mod google_cloud;
mod tower_http;
mod yup_oauth2;

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::harness::Group;

/// Adds a lane for each peer.
pub fn lanes<'a>(group: &mut Group<'a>, clock_overhead: Duration, runtime: &'a Runtime) {
    tower_http::lanes(group, clock_overhead);
    google_cloud::lane(group, clock_overhead, runtime);
    aws_smithy::lane(group, clock_overhead, runtime);
    azure_core::lane(group, clock_overhead);
    yup_oauth2::lane(group, clock_overhead, runtime);
}
