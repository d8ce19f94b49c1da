//! Names that say that a value is a credential.

/// Headers that are secret and do not say so by the form of their name.
const HEADERS: &[&str] =
    &["sec-websocket-protocol", "x-codex-turn-state", "chatgpt-account-id", "authentication-info"];

/// Whether a header of that name carries a credential.
pub(super) fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name == "idempotency-key" || name.starts_with("x-stainless-") {
        return false;
    }
    HEADERS.contains(&name.as_str())
        || ["authorization", "cookie", "signature", "credential", "password", "secret"]
            .iter()
            .any(|part| name.contains(part))
        || ["-key", "_key", "apikey", "-token", "_token", "-auth"].iter().any(|end| name.ends_with(end))
}

/// Query parameters whose value is a credential, in lower case with dashes as underscores.
const PARAMETERS: &[&str] = &[
    "key",
    "api_key",
    "apikey",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "token",
    "subscription_key",
    "client_secret",
    "secret",
    "password",
    "sig",
    "signature",
    "x_amz_signature",
    "x_amz_credential",
    "x_amz_security_token",
    "x_goog_signature",
    "x_goog_credential",
    "code_verifier",
    "assertion",
];

/// Longest spelling of such a name, every character percent-encoded.
pub(super) const LONGEST_PARAMETER: usize = 64;

/// Whether a query parameter of that name (as sent) carries a credential.
pub(super) fn is_secret_parameter(name: &str) -> bool {
    if name.len() > LONGEST_PARAMETER {
        return false;
    }
    let mut plain = String::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
            match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or(b'%'),
                _ => return false,
            }
        } else {
            byte
        };
        plain.push(if byte == b'-' { '_' } else { char::from(byte.to_ascii_lowercase()) });
    }
    PARAMETERS.contains(&plain.as_str())
}

/// Members of JSON bodies whose value is a credential, in lower case without dashes and underscores. `token` alone is
/// none: the log probabilities of every answer have it.
const MEMBERS: &[&str] = &[
    "authorization",
    "authorizationtoken",
    "proxyauthorization",
    "clientsecret",
    "apikey",
    "xapikey",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "securitytoken",
    "secretaccesskey",
    "secretkey",
    "privatekey",
    "password",
    "passwd",
    "secret",
    "cookie",
    "setcookie",
];

/// Whether a member of that name carries a credential.
pub(super) fn is_secret_member(name: &str) -> bool {
    if name.len() > LONGEST_PARAMETER {
        return false;
    }
    let plain: String =
        name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).collect();
    MEMBERS.contains(&plain.as_str())
}
