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

impl Provider {
    /// Microsoft 365; the tenant is an id, a domain, or `common`.
    pub fn microsoft(tenant: &str) -> Self {
        let endpoint =
            |name: &str| format!("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/{name}");
        Self {
            token_url: endpoint("token"),
            device_url: Some(endpoint("devicecode")),
            authorize_url: Some(endpoint("authorize")),
            scope: "https://outlook.office.com/IMAP.AccessAsUser.All offline_access".to_owned(),
            client_scope: "https://outlook.office365.com/.default".to_owned(),
        }
    }

    /// Google; its device flow does not hand out access to mailboxes.
    pub fn google() -> Self {
        let scope = "https://mail.google.com/";
        Self {
            token_url: "https://oauth2.googleapis.com/token".to_owned(),
            device_url: None,
            authorize_url: Some("https://accounts.google.com/o/oauth2/v2/auth".to_owned()),
            scope: scope.to_owned(),
            client_scope: scope.to_owned(),
        }
    }
}
