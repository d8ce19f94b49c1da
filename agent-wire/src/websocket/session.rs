//! What client and server agreed on when they switched to WebSocket.

use crate::headers::Headers;

/// The extensions in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Session {
    deflate: Option<Deflate>,
}

/// Parameters of permessage-deflate (RFC 7692 section 7.1). Window sizes do not matter to who inflates with the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deflate {
    client_takeover: bool,
    server_takeover: bool,
}

impl Session {
    /// From the head of the response that switches.
    pub(crate) fn agreed(response: &Headers) -> Self {
        let extensions = response.get_all("sec-websocket-extensions").flat_map(|value| value.split(','));
        let deflate = extensions.filter_map(|extension| {
            let mut parts = extension.split(';').map(str::trim);
            if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate")) {
                return None;
            }
            let mut agreed = Deflate { client_takeover: true, server_takeover: true };
            for parameter in parts {
                agreed.client_takeover &= !parameter.eq_ignore_ascii_case("client_no_context_takeover");
                agreed.server_takeover &= !parameter.eq_ignore_ascii_case("server_no_context_takeover");
            }
            Some(agreed)
        });
        Self { deflate: deflate.last() }
    }

    /// Whether the messages of one side refer back to earlier ones; `None` when they are not compressed.
    pub(super) fn takeover(self, client: bool) -> Option<bool> {
        self.deflate.map(|deflate| if client { deflate.client_takeover } else { deflate.server_takeover })
    }
}

/// Whether the Upgrade field names WebSocket: the head asks for the switch, or makes it (RFC 6455 section 4).
pub(crate) fn is_websocket(headers: &Headers) -> bool {
    let mut names = headers.get_all("upgrade").flat_map(|value| value.split(','));
    names.any(|name| name.trim().eq_ignore_ascii_case("websocket"))
}

/// Whether a request may be answered by a switch to WebSocket.
pub(crate) fn asks_for_websocket(method: &str, headers: &Headers) -> bool {
    method == "GET" && is_websocket(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreed(value: &str) -> Option<(bool, bool)> {
        let headers = [("Sec-WebSocket-Extensions", value)].into_iter().collect();
        let session = Session::agreed(&headers);
        Some((session.takeover(true)?, session.takeover(false)?))
    }

    #[test]
    fn extensions_of_the_response() {
        assert_eq!(agreed(""), None);
        assert_eq!(agreed("x-webkit-deflate-frame"), None);
        assert_eq!(agreed("permessage-deflate"), Some((true, true)));
        assert_eq!(
            agreed("foo; a=b, Permessage-Deflate; server_max_window_bits=\"10\"; client_max_window_bits"),
            Some((true, true))
        );
        assert_eq!(agreed("permessage-deflate;client_no_context_takeover"), Some((false, true)));
        assert_eq!(agreed("permessage-deflate; Server_No_Context_Takeover"), Some((true, false)));
    }

    #[test]
    fn the_upgrade_field() {
        for (value, is) in
            [("websocket", true), ("h2c, WebSocket", true), ("h2c", false), ("websockets", false)]
        {
            assert_eq!(is_websocket(&[("upgrade", value)].into_iter().collect()), is, "{value}");
        }
        let headers: Headers = [("Upgrade", "websocket")].into_iter().collect();
        assert!(asks_for_websocket("GET", &headers) && !asks_for_websocket("POST", &headers));
    }
}
