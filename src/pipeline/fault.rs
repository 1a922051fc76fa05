//! A fault on demand: in a build with debug assertions, a message can be made to end the process that
//! reads it, so that the tests see what becomes of one that does.

/// Aborts where `POSTWATCH_FAULT_ABORT` is set and the message holds its text. Compiled to nothing
/// in a release.
pub(super) fn strike(message: &[u8]) {
    if !cfg!(debug_assertions) {
        return;
    }
    if let Some(text) = std::env::var_os("POSTWATCH_FAULT_ABORT")
        && memchr::memmem::find(message, text.as_encoded_bytes()).is_some()
    {
        std::process::abort();
    }
}
