//! OAuth 2.0: access tokens for mailboxes (RFC 6749, RFC 8628, RFC 7636, RFC 8252).

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The token endpoint.
    pub token_url: String,
    /// The endpoint of the device flow, where there is one.
    pub device_url: Option<String>,
    /// The endpoint of the browser flow, where there is one.
    pub authorize_url: Option<String>,
    /// What is asked for when a user signs in.
    pub scope: String,
    /// What is asked for when the program signs in by itself.
    pub client_scope: String,
}

/// Who signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// A user, once; the refresh token is kept.
    User,
    /// The program, with its own secret (client credentials).
    Client,
}
