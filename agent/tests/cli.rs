//! The binary as people and scripts meet it: help, exit statuses, what goes to which stream. No kernel is needed.
#![expect(clippy::expect_used, reason = "a helper that fails fails its test")]

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

const ASK: &str = r#"{"model":"gpt-4o-mini","messages":[{"role":"user","content":"question"}]}"#;
const ANSWER: &str = r#"{"id":"c1","object":"chat.completion","model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant","content":"answer"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14}}"#;

fn wirespan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    for name in
        ["WIRESPAN_CONFIG", "WIRESPAN_SOCKET", "WIRESPAN_LOG", "NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"]
    {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    wirespan().args(arguments).output().expect("runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn line(id: &str) -> String {
    json!({
        "id": id,
        "request": {"method": "POST", "url": "https://api.openai.com/v1/chat/completions",
            "headers": {"content-type": ["application/json"], "authorization": ["Bearer sk-secret"]},
            "body_b64": STANDARD.encode(ASK)},
        "response": {"status": 200, "headers": {"content-type": ["application/json"]}, "body_b64": STANDARD.encode(ANSWER)}
    })
    .to_string()
}

fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writes");
    path
}

/// Compares with a committed file, or writes it when `WIRESPAN_UPDATE_SNAPSHOTS` is set.
fn snapshot(name: &str, current: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("WIRESPAN_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, current).expect("writes the snapshot");
    }
    let committed = std::fs::read_to_string(&path).expect("the snapshot exists");
    assert_eq!(
        committed, current,
        "run the tests with WIRESPAN_UPDATE_SNAPSHOTS=1 and look at the difference"
    );
}

#[test]
fn help_is_as_committed() {
    let commands = [
        "exec",
        "run",
        "tail",
        "show",
        "status",
        "decode",
        "doctor",
        "config",
        "prices",
        "completions",
        "man",
    ];
    let mut text = stdout(&run(&["--help"]));
    for command in commands {
        let output = run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        text.push_str(&format!("\n=== {command} ===\n{}", stdout(&output)));
    }
    snapshot("help.txt", &text);
}

#[test]
fn usage_errors_are_2_and_failures_1() {
    for arguments in [&["--nonsense"][..], &["decode"], &["exec"], &["tail", "--last", "x"], &["nonsense"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
    let missing = run(&["decode", "/nonexistent/recording.jsonl"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("/nonexistent/recording.jsonl"), "{}", stderr(&missing));
    let bad_log = wirespan().args(["prices", "version"]).env("WIRESPAN_LOG", "a=b=c").output().expect("runs");
    assert_eq!(bad_log.status.code(), Some(2));
}

#[test]
fn decode_prints_records_and_reports_bad_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "in.jsonl", &format!("{}\nnot json\n{}\n", line("a"), line("b")));
    let output = run(&["decode", path.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!("{}:2: not JSON", path.display());
    assert!(stderr(&output).starts_with(&expected), "{}", stderr(&output));
    let text = stdout(&output);
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(records.iter().map(|r| r["exchange"].as_str()).collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(records[0]["v"], 1);
    assert_eq!(records[0]["usage_source"], "reported");
    assert!(records[0]["cost"]["lines"].as_array().is_some_and(|lines| !lines.is_empty()));
    assert!(!text.contains("question") && !text.contains("sk-secret"));
    let again = run(&["decode", path.to_str().expect("UTF-8")]);
    assert_eq!(again.stdout, output.stdout, "the same bytes give the same Records");
}

#[test]
fn decode_reads_standard_input_and_shows_content_and_tables() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "in.jsonl", &line("a"));
    let open = || std::fs::File::open(&path).expect("opens");
    let content = wirespan().args(["decode", "--content", "-"]).stdin(open()).output().expect("runs");
    assert_eq!(content.status.code(), Some(0));
    let text = stdout(&content);
    assert!(text.contains("question") && text.contains("answer") && !text.contains("sk-secret"), "{text}");
    let table = wirespan().args(["decode", "-o", "table", "-"]).stdin(open()).output().expect("runs");
    let text = stdout(&table);
    assert!(text.starts_with("TIME") && text.contains("chat gpt-4o-mini"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour off a terminal");
    assert!(stderr(&table).contains("1 call · 11 tokens in, 3 out"), "{}", stderr(&table));
    let colored = wirespan().args(["decode", "-o", "table", "--color", "always", "-"]).stdin(open()).output();
    assert!(stdout(&colored.expect("runs")).contains('\u{1b}'));
}

/// A price table with one model, of that date.
fn table(date: &str, price: u32) -> String {
    json!({
        "format": 1,
        "source": {"name": "test", "version": "1", "url": "https://example.com", "license": "none"},
        "date": date,
        "providers": [{"id": "openai", "names": [], "hosts": ["api.openai.com"], "models": [
            {"id": "gpt-4o-mini", "match": ["gpt-4o-mini*"], "prices": {"input": price, "output": price}}]}]
    })
    .to_string()
}

#[test]
fn a_newer_price_table_is_taken_over_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("state/prices.json");
    let to = target.to_str().expect("UTF-8");
    let update = |text: &str| {
        let source = file(folder.path(), "new.json", text);
        run(&["prices", "update", source.to_str().expect("UTF-8"), "--to", to])
    };
    let fails = |output: Output, words: &str| {
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    };
    fails(update(&table("2020-01-01", 1)), "older than the built-in table");
    assert!(!target.exists());
    assert_eq!(update(&table("2999-01-02", 1000)).status.code(), Some(0));
    let first = std::fs::read(&target).expect("reads");
    fails(update(&table("2999-01-01", 1)), "older than the table that is there (2999-01-02)");
    fails(update("{}"), "the key `format` is missing");
    fails(update("no JSON"), "no valid JSON");
    fails(update(&table("2999-02-02", 1).replace("gpt-4o-mini*", "")), "models[0].match[0]");
    fails(run(&["prices", "update", "http://example.com/prices.json", "--to", to]), "only https://");
    fails(run(&["prices", "update", "/nonexistent.json", "--to", to]), "/nonexistent.json");
    assert_eq!(std::fs::read(&target).expect("reads"), first, "what is refused changes nothing");
    assert_eq!(
        std::fs::read_dir(folder.path().join("state")).expect("lists").count(),
        1,
        "nothing is left behind"
    );

    let explained = stdout(&run(&["prices", "explain", "openai", "gpt-4o-mini", "--table", to]));
    assert!(explained.contains("test 1 (2999-01-02)") && explained.contains("1000 USD"), "{explained}");
    let recording = file(folder.path(), "in.jsonl", &line("a"));
    let config = file(folder.path(), "config.yaml", &format!("prices: {{table: {to}}}\n"));
    let output =
        run(&["decode", recording.to_str().expect("UTF-8"), "--config", config.to_str().expect("UTF-8")]);
    let record: Value = serde_json::from_str(stdout(&output).trim()).expect("JSON");
    assert_eq!(record["cost"]["usd"], 0.014, "{record}");
}

#[test]
fn prices_are_listed_and_explained() {
    let listed = stdout(&run(&["prices", "list", "--provider", "anthropic", "--model", "claude-opus-4-*"]));
    assert!(listed.starts_with("anthropic (genai-prices "), "{listed}");
    assert!(listed.contains("input 5") && !listed.contains("haiku"), "{listed}");
    let json = stdout(&run(&["prices", "list", "--provider", "aws.bedrock", "-o", "json"]));
    let entries: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(entries.len() > 200 && entries.iter().all(|entry| entry["provider"] == "aws"));
    assert_eq!(run(&["prices", "list", "--model", "no-such-model"]).status.code(), Some(1));

    let batch =
        stdout(&run(&["prices", "explain", "anthropic", "claude-3-haiku-20240307", "--tier", "batch"]));
    assert!(batch.contains("0.125 USD per million tokens"), "{batch}");
    assert!(batch.contains("when processing=batch: tokens cost 0.5 times as much"), "{batch}");
    let unknown = stdout(&run(&["prices", "explain", "openai", "gpt-4o", "--tier", "scale"]));
    assert!(unknown.contains("no price is known for the tier scale"), "{unknown}");
    let fallback = stdout(&run(&["prices", "explain", "writer", "palmyra-x4"]));
    assert!(fallback.contains("table    litellm") && fallback.contains("from     Writer"), "{fallback}");
    let missing = run(&["prices", "explain", "openai", "gpt-4o-mimi"]);
    assert!(stderr(&missing).contains("near: gpt-4o-mini"), "{}", stderr(&missing));
}

#[test]
fn prices_of_ones_own_win() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = file(folder.path(), "in.jsonl", &line("a"));
    let prices = file(
        folder.path(),
        "prices.yaml",
        "models:\n  - match: gpt-4o-mini*\n    prices: {input: 1000, output: 2000}\n",
    );
    let paths = [recording.to_str().expect("UTF-8"), prices.to_str().expect("UTF-8")];
    let output = run(&["decode", paths[0], "--prices", paths[1]]);
    let record: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(record["cost"]["source"], "override", "{}", stderr(&output));
    assert_eq!(record["cost"]["usd"], json!(0.017));
    let broken = file(folder.path(), "broken.yaml", "modells: []\n");
    let output = run(&["decode", paths[0], "--prices", broken.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("broken.yaml"), "{}", stderr(&output));
    let explained = run(&["prices", "explain", "openai", "gpt-4o-mini"]);
    assert!(stdout(&explained).contains("per million tokens"), "{}", stdout(&explained));
    assert_eq!(run(&["prices", "explain", "openai", "no-such-model-at-all"]).status.code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_is_silent() {
    let folder = tempfile::tempdir().expect("a folder");
    let text: String = (0..2_000).map(|n| format!("{}\n", line(&n.to_string()))).collect();
    let path = file(folder.path(), "in.jsonl", &text);
    let mut child = wirespan()
        .args(["decode", path.to_str().expect("UTF-8")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ends");
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(folder.path(), "in.jsonl", &line("a"));
    let output =
        wirespan().args(["decode", path.to_str().expect("UTF-8")]).stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("No space left"), "{}", stderr(&output));
}

#[test]
fn show_finds_a_call_in_a_file_of_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let recording = file(folder.path(), "in.jsonl", &format!("{}\n{}\n", line("a"), line("b")));
    let decoded = run(&["decode", "--content", recording.to_str().expect("UTF-8")]);
    let records = file(folder.path(), "records.jsonl", &stdout(&decoded));
    let first: Value = serde_json::from_str(stdout(&decoded).lines().next().expect("a line")).expect("JSON");
    let id = first["span_id"].as_str().expect("an id");
    let page = run(&["show", id, "--input", records.to_str().expect("UTF-8")]);
    assert_eq!(page.status.code(), Some(0), "{}", stderr(&page));
    for part in ["chat gpt-4o-mini", "exchange      a", "per million", "question", "answer"] {
        assert!(stdout(&page).contains(part), "{part} in {}", stdout(&page));
    }
    let mut piped = wirespan()
        .args(["show", &id[..12], "--input", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    piped.stdin.take().expect("a pipe").write_all(&decoded.stdout).expect("writes");
    let output = piped.wait_with_output().expect("ends");
    assert_eq!(serde_json::from_str::<Value>(&stdout(&output)).expect("JSON"), first);
    let missing = run(&["show", "ffffffffffffffff", "--input", records.to_str().expect("UTF-8")]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stderr(&missing).contains("no call has the id"), "{}", stderr(&missing));
}

#[test]
fn without_a_daemon_the_message_says_what_to_do() {
    for arguments in [&["status"][..], &["tail"], &["show", "aa"]] {
        let output =
            wirespan().args(arguments).args(["--socket", "/nonexistent/w.sock"]).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("wirespan run --config"), "{}", stderr(&output));
    }
}

#[test]
fn configuration_is_checked_before_anything_is_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let good = file(folder.path(), "good.yaml", &stdout(&run(&["config", "example"])));
    let output = run(&["config", "validate", good.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let bad = file(folder.path(), "bad.yaml", "capture:\n  rng_size: 8MiB\n");
    for arguments in [&["config", "validate"][..], &["run", "--config"]] {
        let output = wirespan().args(arguments).arg(&bad).output().expect("runs");
        assert_eq!(output.status.code(), Some(1));
        let message = stderr(&output);
        assert!(
            message.contains("line 2: unknown key `capture.rng_size`; did you mean `ring_size`?"),
            "{message}"
        );
    }
    let empty = file(folder.path(), "empty.yaml", "capture: {}\n");
    let output = run(&["run", "--config", empty.to_str().expect("UTF-8")]);
    assert!(stderr(&output).contains("nothing is in scope"), "{}", stderr(&output));
    let missing = run(&["run", "--config", "/nonexistent/wirespan.yaml"]);
    assert!(stderr(&missing).contains("/nonexistent/wirespan.yaml"), "{}", stderr(&missing));
    let schema: Value = serde_json::from_str(&stdout(&run(&["config", "schema"]))).expect("JSON");
    assert_eq!(schema["title"], "wirespan configuration");
}

#[test]
fn completions_and_manual_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]);
        assert!(stdout(&output).contains("wirespan"), "{shell}");
    }
    assert!(stdout(&run(&["man"])).contains(".TH wirespan 1"));
    assert!(stdout(&run(&["man", "exec"])).contains("wirespan-exec"));
    assert_eq!(run(&["man", "nonsense"]).status.code(), Some(1));
}

#[test]
fn the_doctor_speaks_json_and_its_status_says_whether_capturing_works() {
    let output = run(&["doctor", "-o", "json"]);
    let report: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let usable = report["usable"].as_bool().expect("a verdict");
    assert_eq!(output.status.code(), Some(if usable { 0 } else { 3 }));
    for check in report["checks"].as_array().expect("checks") {
        assert!(["ok", "warn", "fail"].contains(&check["status"].as_str().expect("a status")));
        let needs_fix = check["status"] == "fail";
        assert!(!needs_fix || check["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{check}");
    }
}
