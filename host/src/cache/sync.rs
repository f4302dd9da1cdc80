//! What [`flight`](super::flight) is built from, so that a model checker can stand in for it.

pub(crate) use std::sync::{Arc, Mutex, PoisonError};
