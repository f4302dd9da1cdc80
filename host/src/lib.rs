//! Gives every outbound call its credentials.

pub mod acquire;
pub mod config;
