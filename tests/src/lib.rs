//! The servers that Countersign's end-to-end tests run against.
//!
//! Here live: real ones, started on free ports of 127.0.0.1 in folders of their own and ended with the test
//! ([`nginx`], [`apache`], [`lighttpd`], [`front`], [`oidc_provider`], [`oauthlib`], [`moto`], [`verifier`], [`qbittorrent`], [`simple_jwt`]); our own ones, which misbehave on demand or verify strictly
//! ([`aws_api`], [`fault`], [`jwt_api`], [`upstream`]), do what a test writes out ([`raw`]), keep book ([`ledger`]) or what passes ([`relay`]), a client that
//! is as free ([`client`]), and clients that call without a pause ([`load`]); throw-away keys and certificates ([`keys`], [`tls`]); the secret that must not be seen ([`canary`]); a
//! configuration's folder and its host ([`folder`]), plugin files and the program ([`built`]), and the program as it
//! serves ([`proxy`]).
//! Not here: tests, which are in `tests/tests/`.
//!
//! This is test code: what cannot be set up panics, with words that say how to mend it.

pub mod apache;

pub mod aws_api;
pub mod built;
pub mod canary;
pub mod client;
pub mod echo;
pub mod fault;
pub mod folder;
pub mod front;
pub mod http1;
pub mod jwt_api;
pub mod keys;
pub mod ledger;
pub mod lighttpd;
pub mod load;
pub mod moto;
pub mod nginx;
pub mod oauthlib;
pub mod oidc_provider;
pub mod program;
pub mod proxy;
pub mod qbittorrent;
pub mod raw;
pub mod relay;
pub mod service;
pub mod simple_jwt;
pub mod tls;
pub mod upstream;
pub mod verifier;
