//! The recipes of the book's cookbook: one file, one type.
#![forbid(unsafe_code)]

mod challenge;
mod on_behalf;
mod rotating;
mod session_key;

countersign::export_plugin!();

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
