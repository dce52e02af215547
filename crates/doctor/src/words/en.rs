//! English.

use super::{Text, Texts};

pub(super) const TEXTS: Texts = Texts {
    findings: FINDINGS,
    unknown: "unknown",
    ahead: "fast",
    behind: "slow",
    direct: "Calls work only with people whose networks allow direct connections.",
    not_direct: "Calls do not work, except with people on the same network.",
    udp: "UDP port",
    tcp: "TCP port",
    or: ", or ",
    to: "{ports} to {host}",
    leads: " It leads to {to}.",
};

const NO_CALLS: &str = "The server cannot be reached, so calls do not work.";

const fn text(code: &'static str, what: &'static str, meaning: &'static str, ask: &'static str) -> Text {
    Text { code, what, meaning, ask }
}

const FINDINGS: &[Text] = &[
    text(
        "name_not_found",
        "The name {host} has no address on this network.",
        NO_CALLS,
        "Check the spelling. If it is right, ask the network's owner why the DNS does not resolve {host}.",
    ),
    text(
        "dns_silent",
        "The DNS server of this network does not answer.",
        NO_CALLS,
        "Check that you are connected to the network. If other sites do not open either, report to the network's owner that \
         the DNS does not answer.",
    ),
    text(
        "proxy_unsupported",
        "The network settings name a proxy that is not an HTTP proxy.",
        NO_CALLS,
        "Ask the network's owner for an HTTP proxy, or for a direct connection to the server.",
    ),
    text(
        "proxy_unreachable",
        "The proxy {proxy} of the network settings cannot be reached.",
        NO_CALLS,
        "Check the proxy's address in the network settings. If it is right, ask the network's owner about the proxy.",
    ),
    text(
        "proxy_no_answer",
        "The proxy {proxy} accepts connections but does not answer.",
        NO_CALLS,
        "Ask the network's owner why the proxy does not answer CONNECT {server}.",
    ),
    text(
        "proxy_invalid_answer",
        "What answers at {proxy} is not an HTTP proxy.",
        NO_CALLS,
        "Check the proxy's address and port in the network settings.",
    ),
    text(
        "proxy_authentication",
        "The proxy {proxy} requires a user name and password.",
        NO_CALLS,
        "Enter them with the proxy in the network settings, or in HTTPS_PROXY. If you have none, ask the network's owner.",
    ),
    text(
        "proxy_refused",
        "The proxy {proxy} does not connect to {server} (status {status}).",
        NO_CALLS,
        "Ask the network's owner to allow {server} in the proxy.",
    ),
    text(
        "port_closed",
        "{host} refuses connections to TCP port {port}.",
        NO_CALLS,
        "Check the address and port. If they are right, the server is not running, or a firewall rejects it: ask the \
         server's operator, then ask the network's owner for TCP port {port} to {host}.",
    ),
    text(
        "port_silent",
        "Nothing answers at TCP port {port} of {host}. A firewall probably drops it.",
        NO_CALLS,
        "Ask the network's owner for TCP port {port} to {host}.",
    ),
    text(
        "no_route",
        "This computer has no route to {host}.",
        NO_CALLS,
        "Check that you are connected to the network, and to the VPN if {host} needs one.",
    ),
    text(
        "address_dead",
        "The server's address {address} does not answer, but another one does.",
        "Calls work. Connecting may take a moment longer.",
        "Nothing is needed. The server's operator may want to know.",
    ),
    text(
        "wrong_certificate",
        "The certificate is not the one that the link names. Its issuer is {issuer}.",
        "Somebody may be between you and the server, so the app does not connect.",
        "Ask the network's owner not to intercept TLS to this server. If nobody intercepts it, ask for a new link.",
    ),
    text(
        "certificate_untrusted",
        "This computer does not trust the certificate's issuer: {issuer}.",
        "A firewall may be intercepting TLS, so the app does not connect.",
        "Ask the network's owner not to intercept TLS to this server. A server on a local network needs a link with a \
         fingerprint.",
    ),
    text(
        "certificate_name",
        "The certificate is not for {host}.",
        "This may be another server, so the app does not connect.",
        "Check the address. If it is right, ask the server's operator to renew the certificate for {host}. If other \
         sites fail too, ask the network's owner about a sign-in page or TLS interception.",
    ),
    text(
        "certificate_expired",
        "The certificate has expired.",
        NO_CALLS,
        "Check the date of this computer. If it is right, ask the server's operator to renew the certificate.",
    ),
    text(
        "certificate_not_yet_valid",
        "The certificate is not valid yet.",
        NO_CALLS,
        "Check the date of this computer: it is probably in the past.",
    ),
    text(
        "no_roots",
        "This computer has no list of trusted certificates.",
        NO_CALLS,
        "Install the package ca-certificates, or use a link with a fingerprint.",
    ),
    text(
        "not_tls",
        "Port {port} does not answer with TLS.",
        NO_CALLS,
        "Check the address and port: the server may work without TLS (ws://). If they are right, ask the network's \
         owner whether a proxy or sign-in page answers in its place.",
    ),
    text(
        "tls_closed",
        "The connection to {host} is cut off when TLS begins.",
        "A firewall that filters by name is probably blocking the server, so calls do not work.",
        "Ask the network's owner to allow TLS connections to {host}.",
    ),
    text(
        "tls_silent",
        "{host} accepts the connection, but TLS does not start.",
        "A firewall is holding the connection up, or large packets are lost, so calls do not work.",
        "Ask the network's owner to allow TLS connections to {host}.",
    ),
    text(
        "captive_portal",
        "A web page answers in place of the server.{leads}",
        "This network probably requires a sign-in, so calls do not work yet.",
        "Open any web site in a browser and sign in to the network. If there is no sign-in page, check the address.",
    ),
    text(
        "websocket_refused",
        "The WebSocket is refused with HTTP status {status}.",
        NO_CALLS,
        "Check the address. If it is right, ask the network's owner and the server's operator to let WebSockets through \
         (the HTTP Upgrade header).",
    ),
    text(
        "server_busy",
        "The server has too many connections from this network (status 429).",
        "Calls do not work at the moment.",
        "Try again in a minute. If it stays, ask the server's operator for more connections from one address.",
    ),
    text(
        "not_http",
        "The answer to the WebSocket request is not HTTP.",
        NO_CALLS,
        "Check the address and port. If they are right, ask the network's owner which device answers in the server's \
         place.",
    ),
    text(
        "websocket_closed",
        "The connection is cut off when the WebSocket opens.",
        NO_CALLS,
        "Ask the network's owner to let WebSockets through (the HTTP Upgrade header).",
    ),
    text(
        "websocket_silent",
        "The request for a WebSocket is not answered.",
        NO_CALLS,
        "Ask the network's owner to let WebSockets through (the HTTP Upgrade header). If other networks have the same \
         problem, ask the server's operator.",
    ),
    text(
        "server_silent",
        "The WebSocket opens, but no message arrives on it.",
        NO_CALLS,
        "Ask the network's owner whether a proxy holds back WebSocket messages. If other networks have the same \
         problem, ask the server's operator.",
    ),
    text(
        "server_closed",
        "The WebSocket opens and is closed immediately.",
        NO_CALLS,
        "Ask the network's owner whether a proxy closes WebSockets. If other networks have the same problem, ask the \
         server's operator.",
    ),
    text(
        "not_a_lunchroom_server",
        "A server answers, but it is not a Lunchroom server.",
        "Calls do not work with this address.",
        "Check the address and port.",
    ),
    text(
        "unsupported_version",
        "The server does not support the protocol of this version.",
        "Calls do not work with this server.",
        "Update the older of the two: this program or the server.",
    ),
    text(
        "server_refuses",
        "The server refuses the connection: {code}.",
        "Calls do not work with this server at the moment.",
        "Ask the server's operator. The network is not the cause.",
    ),
    text(
        "clock_off",
        "The clock of this computer is about {minutes} min {direction}.",
        "Calls work, but lunches appear at wrong times, and certificates may be refused.",
        "Set the clock automatically from the Internet.",
    ),
    text(
        "no_relay_offered",
        "The server offers no relay.",
        "Calls work only with people whose networks allow direct connections.",
        "Ask the server's operator to switch on TURN. The network is not the cause.",
    ),
    text(
        "udp_blocked",
        "This network does not let UDP through to the server.",
        "Calls are relayed over TCP: they work, but sound and picture can be delayed or stop for a moment.",
        "Ask the network's owner for {ports}. UDP is best.",
    ),
    text(
        "only_tls",
        "This network lets only TLS through to the server, neither UDP nor other TCP.",
        "Calls are relayed over TLS: they work, but sound and picture can be delayed or stop for a moment.",
        "Ask the network's owner for {ports}. UDP is best.",
    ),
    text(
        "relay_udp_fails",
        "UDP passes, but the relay does not work over UDP.",
        "Calls that need the relay go over TCP, so sound and picture can be delayed.",
        "Ask the server's operator to check TURN over UDP.",
    ),
    text(
        "relay_blocked",
        "Nothing from the relay arrives, neither over UDP nor over TCP or TLS.",
        "{media}",
        "Ask the network's owner for {ports}. If other networks have the same problem, ask the server's operator.",
    ),
    text(
        "relay_closed",
        "The ports of the relay are closed.",
        "{media}",
        "Ask the server's operator whether the relay is running. If it is, ask the network's owner for {ports}.",
    ),
    text(
        "relay_silent",
        "The relay accepts connections but does not answer.",
        "{media}",
        "Ask the server's operator whether the relay is running. If it is, ask the network's owner for {ports}.",
    ),
    text(
        "relay_garbage",
        "What answers at the relay's ports is not a relay.",
        "{media}",
        "Ask the network's owner which device answers in the relay's place, and for {ports}.",
    ),
    text(
        "relay_refuses",
        "The relay answers but refuses to work for us (error {code}).",
        "{media}",
        "Ask the server's operator to check the relay's credentials and limits. The network is not the cause.",
    ),
    text(
        "relay_no_echo",
        "The relay gives an address, but a test through it did not come back.",
        "Calls probably work: some relays do not send to themselves.",
        "Nothing is needed while calls work. If relayed calls fail, tell the server's operator.",
    ),
    text(
        "mtu_black_hole",
        "Datagrams of more than {passes} bytes vanish on the way, and nothing reports it.",
        "Sound works, but pictures freeze or never appear.",
        "Ask the network's owner to let ICMP \"fragmentation needed\" (IPv6: \"packet too big\") through, and to check \
         the MTU of VPNs and tunnels: 1,280 bytes or more.",
    ),
    text(
        "mtu_small",
        "The path lets only datagrams of up to {passes} bytes through.",
        "Sound works, but pictures freeze or never appear.",
        "Ask the network's owner for an MTU of at least 1,280 bytes, also in VPNs and tunnels.",
    ),
];
