mod corpus;
mod guarded;
mod properties;
mod server;
