//! The profile type `bench-token` as a plugin.
#![forbid(unsafe_code)]

mod bench_token;

countersign::export_plugin!();
countersign::register_profile!(bench_token::BenchToken);
