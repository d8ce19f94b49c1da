//! OpenSSL and BoringSSL inside executables without symbols.

use std::path::Path;
use std::process::Command;

use crate::harness::{Server, Session, Stream};

/// The executable of Bun, where `cargo xtask setup --full` puts it.
fn bun() -> Option<std::path::PathBuf> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/clients");
    let clients = std::env::var_os("WIRESPAN_CLIENTS").map_or(target, Into::into);
    let path = clients.join("executables/node_modules/bun/bin/bun");
    if !path.is_file() {
        println!("skipped: no Bun: `cargo xtask setup --full` installs it");
        return None;
    }
    Some(path)
}

#[test]
fn bun_is_captured_though_it_has_no_symbols() {
    let (Some(bun), Some(mut session)) = (bun(), Session::default()) else { return };
    let server = Server::start();
    let script = format!(
        "process.env.NODE_TLS_REJECT_UNAUTHORIZED='0';
         for (let i = 0; i < 3; i++) {{
            const answer = await fetch('{}', {{ method: 'POST', body: 'b'.repeat(500000) }});
            if ((await answer.text()).length != 500000) process.exit(1);
         }}",
        server.url("/echo"),
    );
    session.run(Command::new(bun).args(["-e", &script]));
    let mut total = 0;
    for (number, id) in session.collected.order.iter().enumerate() {
        let stream = &session.collected.streams[id];
        let (received, sent) = server.kept(number);
        total += received.len();
        assert_eq!(Stream::whole(&stream.egress), received);
        assert_eq!(Stream::whole(&stream.ingress), sent);
    }
    assert!(total > 1_500_000, "{total}");
    assert_eq!(session.stats().lost_bytes(), 0);
}
