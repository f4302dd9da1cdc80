//! Gives every outbound call its credentials.

pub mod acquire;
pub mod config;
pub mod plugin;
pub mod registry;
pub mod cache;
