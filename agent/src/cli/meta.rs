//! `wirespan completions` and `wirespan man`, made from the command line's own description, and `wirespan java-agent`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::output::{Exit, Output};

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// A command of wirespan, such as exec; wirespan itself when left out
    command: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With `capture.java` on (or --java), wirespan loads the agent into running Java processes itself, and `exec` starts them with it. A \
program that has made its TLS contexts before, or whose JVM cannot be attached to, is started with it instead: \
JAVA_TOOL_OPTIONS=-javaagent:FILE. Without wirespan beside it the agent does nothing that is seen.")]
pub(super) struct JavaAgentArgs {
    /// The jar to write
    file: PathBuf,
}

pub(super) fn java_agent(args: &JavaAgentArgs) -> anyhow::Result<Exit> {
    agent_capture::java::write_agent(&args.file)
        .with_context(|| format!("cannot write the Java agent to {}", args.file.display()))?;
    Ok(Exit::Ok)
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "wirespan", &mut script);
    print(&script)
}

pub(super) fn man(args: &ManArgs) -> anyhow::Result<Exit> {
    let mut command = super::command();
    command.build();
    if let Some(name) = &args.command {
        let found = command.get_subcommands().find(|sub| sub.get_name() == name).cloned();
        let Some(sub) = found else {
            let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
            anyhow::bail!("wirespan has no command `{name}`; it has {}", names.join(", "));
        };
        // The page of `exec` is called wirespan-exec, as git does.
        let title: &'static str = Box::leak(format!("wirespan-{name}").into_boxed_str());
        command = sub.name(title);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> anyhow::Result<Exit> {
    let mut output = Output::stdout();
    output.text(&String::from_utf8_lossy(bytes))?;
    output.flush()?;
    Ok(Exit::Ok)
}
