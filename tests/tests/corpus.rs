//! `wirespan decode` over the recorded traffic: the facts recorded with each exchange, and nothing for what is no LLM call.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use agent_genai::Record;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wirespan_tests::capture::decode;
use wirespan_tests::{need, skip_if};

/// The folder of recordings and the binary, or why there are none.
fn corpus() -> Result<PathBuf, String> {
    let folder = std::env::var_os("WIRESPAN_CORPUS").filter(|folder| !folder.is_empty());
    let folder = folder.ok_or("WIRESPAN_CORPUS is not set: no recorded traffic")?;
    need::wirespan().map_err(|error| format!("{error:#}"))?;
    Ok(folder.into())
}

/// The recordings of the four APIs.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let api = name.split_once('.').map(|(_, api)| api).unwrap_or_default();
        if matches!(api, "chat.completions.jsonl" | "responses.jsonl" | "messages.jsonl")
            || name == "openai.embeddings.jsonl"
        {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{} holds no recordings of the four APIs", folder.display());
    Ok(files)
}

fn lines(file: &Path) -> Result<Vec<Value>> {
    let reader =
        BufReader::new(File::open(file).with_context(|| format!("could not open {}", file.display()))?);
    reader.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

/// What an independent simple folding of the body found.
fn folded(line: &Value) -> Option<&Value> {
    match line.get("expected_source").and_then(Value::as_str) {
        Some("body" | "body-stream") => line.get("expected"),
        _ => line.get("expected_body"),
    }
    .filter(|expected| expected.is_object())
}

fn number(object: &Value, key: &str) -> Option<u64> {
    object.get(key).and_then(Value::as_u64)
}

/// Usage as the conventions count it: cached input inside input, reasoning inside output.
fn summed(api: &str, usage: &Value) -> (Option<u64>, Option<u64>) {
    let (input, output) = (number(usage, "input"), number(usage, "output"));
    if api == "messages" {
        let cached = number(usage, "cache_read").unwrap_or(0) + number(usage, "cache_write").unwrap_or(0);
        return (input.map(|input| input + cached), output);
    }
    // Some servers report reasoning beside the output: then the total says so.
    let reasoning = number(usage, "reasoning").unwrap_or(0);
    let apart = matches!((input, output, number(usage, "total")), (Some(i), Some(o), Some(t)) if reasoning > 0 && t == i + o + reasoning);
    (input, if apart { output.map(|output| output + reasoning) } else { output })
}

fn check(line: &Value, record: &Record) -> Vec<String> {
    let Some(expected) = folded(line) else { return Vec::new() };
    let mut wrong = Vec::new();
    let attribute = |name: &str| record.attributes.get(name);
    let mut same = |name: &str, wanted: Option<Value>| {
        if let Some(wanted) = wanted
            && attribute(name) != Some(&wanted)
        {
            wrong.push(format!("{name} is {:?}, recorded {wanted}", attribute(name)));
        }
    };
    let text = |key: &str| {
        expected.get(key).filter(|value| value.as_str().is_some_and(|text| !text.is_empty())).cloned()
    };
    same("gen_ai.response.id", text("response_id"));
    same("gen_ai.response.model", text("response_model"));
    if let Some(usage) = expected.get("usage") {
        let (input, output) = summed(line["api"].as_str().unwrap_or_default(), usage);
        same("gen_ai.usage.input_tokens", input.map(Value::from));
        same("gen_ai.usage.output_tokens", output.map(Value::from));
    }
    if expected.get("error").is_some_and(|error| error == true)
        && !record.attributes.contains_key("error.type")
    {
        wrong.push("the error is missing".to_owned());
    }
    wrong
}

#[test]
fn the_four_apis_decode_to_the_recorded_facts() -> Result<()> {
    let folder = match corpus() {
        Ok(folder) => folder,
        Err(reason) => {
            println!("skipped: {reason}");
            return Ok(());
        }
    };
    let (mut exchanges, mut wrong) = (0, Vec::new());
    for file in files(&folder)? {
        let name = file.file_name().unwrap_or_default().display().to_string();
        let records: HashMap<String, Record> = decode(&file)?
            .into_iter()
            .filter_map(|record| Some((record.exchange.clone()?, record)))
            .collect();
        for line in lines(&file)?.iter().filter(|line| folded(line).is_some()) {
            exchanges += 1;
            let id = line["id"].as_str().unwrap_or_default();
            match records.get(id) {
                Some(record) => {
                    wrong.extend(check(line, record).into_iter().map(|what| format!("{name} {id}: {what}")));
                }
                None => wrong.push(format!("{name} {id}: no record")),
            }
        }
    }
    println!("{exchanges} exchanges, {} differences", wrong.len());
    ensure!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn what_is_no_llm_call_gives_nothing() -> Result<()> {
    let reason_or_folder = corpus();
    skip_if!(reason_or_folder.as_ref().err());
    let folder = reason_or_folder.map_err(anyhow::Error::msg)?;
    let records = decode(&folder.join("negative.jsonl"))?;
    let ids: Vec<_> = records.iter().map(|record| &record.exchange).collect();
    ensure!(ids.is_empty(), "records for {ids:?}");
    Ok(())
}
