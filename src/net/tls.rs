//! TLS: what is trusted, and which versions.
