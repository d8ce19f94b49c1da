//! The configuration's promises: unknown keys are named with the nearest valid one, values are checked, the example is valid.

use super::*;

fn error(text: &str) -> String {
    Config::parse(text, "w.yaml").expect_err("must be refused").to_string()
}

#[test]
fn nothing_is_the_default() {
    for text in ["", "# only a comment\n", "---\n"] {
        assert_eq!(Config::parse(text, "w.yaml").expect("valid"), Config::default(), "{text:?}");
    }
}

#[test]
fn values_are_read() {
    let config = Config::parse(
        "capture:\n  ring_size: 8MiB\n  drain_interval: 5ms\n  scope: {commands: [node], follow_children: false}\n\
         content: {enabled: true}\nprices: {table: /t.json, override: /p.json}\nproviders: [{host: llm.local, provider: openai}]\n",
        "w.yaml",
    )
    .expect("valid");
    assert_eq!(config.capture.ring_size, ByteSize::mib(8));
    assert_eq!(config.capture.drain_interval, Span::millis(5));
    assert_eq!(config.capture.scope.commands, ["node"]);
    assert!(!config.capture.scope.follow_children);
    assert!(config.content.enabled);
    assert_eq!(config.prices.table.as_deref(), Some(Path::new("/t.json")));
    assert_eq!(config.prices.override_file.as_deref(), Some(Path::new("/p.json")));
    assert_eq!(config.providers.first().map(|p| p.host.as_str()), Some("llm.local"));
}

#[test]
fn unknown_keys_are_named_with_the_nearest() {
    assert_eq!(
        error("capture:\n  rng_size: 8MiB\n"),
        "w.yaml: line 2: unknown key `capture.rng_size`; did you mean `ring_size`?"
    );
    assert_eq!(
        error("content:\n  rules:\n    - servise: x\n      enabled: true\n"),
        "w.yaml: line 3: unknown key `content.rules[0].servise`; did you mean `service`?"
    );
    let both = error("captur: {}\nstore: {zzz: 1}\n");
    assert!(both.contains("line 1: unknown key `captur`; did you mean `capture`?"), "{both}");
    assert!(both.contains("line 2: unknown key `store.zzz`; valid here: max_records, max_size"), "{both}");
}

#[test]
fn wrong_types_and_broken_yaml_say_where() {
    let wrong = error("capture:\n  ring_size: [1]\n");
    assert!(wrong.contains("w.yaml") && wrong.contains('2'), "{wrong}");
    let unit = error("capture:\n  ring_size: 3 apples\n");
    assert!(unit.contains("3 apples") && unit.contains("32MiB"), "{unit}");
    let broken = error("capture: {\n");
    assert!(broken.contains("w.yaml"), "{broken}");
    let twice = error("store: {}\nstore: {}\n");
    assert!(twice.contains("store"), "{twice}");
}

#[test]
fn values_that_make_no_sense_are_refused() {
    for (text, key) in [
        ("capture: {ring_size: 1KiB}", "capture.ring_size"),
        ("capture: {max_call_size: 2GiB}", "capture.max_call_size"),
        ("capture: {drain_interval: 1h}", "capture.drain_interval"),
        ("capture: {idle_timeout: 1ms}", "capture.idle_timeout"),
        ("capture: {max_connections: 0}", "capture.max_connections"),
        ("limits: {watchdog: 1ms}", "limits.watchdog"),
        ("limits: {cpu: 0}", "limits.cpu"),
        ("limits: {memory: 1KiB}", "limits.memory"),
        ("limits: {window: 1ms}", "limits.window"),
        ("content: {rules: [{enabled: true}]}", "content.rules[0]"),
        ("service_name: [{name: x}]", "service_name[0]"),
        ("providers: [{host: 'http://x', provider: y}]", "providers[0].host"),
    ] {
        let message = error(text);
        assert!(message.contains(&format!("`{key}`")), "{text}: {message}");
    }
}

#[test]
fn a_missing_file_says_which() {
    let message = Config::load(Path::new("/nonexistent/wirespan.yaml")).expect_err("missing").to_string();
    assert!(message.contains("/nonexistent/wirespan.yaml"), "{message}");
}

#[test]
fn the_example_is_valid_and_names_every_section() {
    let config = Config::parse(EXAMPLE, "example.yaml").expect("valid");
    assert_eq!(config.capture.ring_size, ByteSize::mib(32));
    let schema = schema();
    for section in schema["properties"].as_object().expect("properties").keys() {
        assert!(
            EXAMPLE.contains(&format!("\n{section}:")) || EXAMPLE.contains(&format!("\n# {section}:")),
            "{section}"
        );
    }
}

#[test]
fn the_committed_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/config.schema.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema()).expect("serialises"));
    if std::env::var_os("WIRESPAN_UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("create docs");
        std::fs::write(&path, &current).expect("write the schema");
    }
    let committed = std::fs::read_to_string(&path).expect("docs/config.schema.json exists");
    assert_eq!(
        committed, current,
        "run the tests with WIRESPAN_UPDATE_SNAPSHOTS=1 and commit docs/config.schema.json"
    );
}
