//! What a process's resource says, and in which order its name is found.

use super::*;
use crate::resource::for_metrics;

const ID: &str = "4f2b1c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";

fn builder(name: Option<&str>) -> ResourceBuilder {
    let host = Host {
        name: "node-1".to_owned(),
        id: Some("0123456789abcdef0123456789abcdef".to_owned()),
        arch: "amd64".to_owned(),
        users: [(1000, "app".to_owned())].into(),
    };
    ResourceBuilder::with_host(host, name.map(str::to_owned))
}

fn process(environment: &[(&str, &str)]) -> ProcessInfo {
    ProcessInfo {
        pid: 4242,
        parent_pid: 1,
        namespace_pid: 7,
        start_time: 99,
        command: "python3".to_owned(),
        executable: "/usr/bin/python3.11".into(),
        arguments: vec!["/usr/bin/python3".to_owned(), "--api-key=hush".to_owned()],
        environment: environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        cgroup: "/system.slice/app.service".to_owned(),
        uid: 1000,
    }
}

fn name(environment: &[(&str, &str)], rule: Option<&str>, configured: Option<&str>) -> Value {
    builder(configured).process_named(&process(environment), rule)["service.name"].clone()
}

#[test]
fn the_service_name_is_found_in_the_documented_order() {
    let own = ("OTEL_SERVICE_NAME", "own");
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=in%20list,a=b");
    let ours = ("WIRESPAN_SERVICE_NAME", "ours");
    assert_eq!(name(&[ours, attributes, own], Some("rule"), Some("configured")), "own");
    assert_eq!(
        name(&[ours, attributes, ("OTEL_SERVICE_NAME", "$(NAME)")], Some("rule"), Some("configured")),
        "in list"
    );
    assert_eq!(name(&[ours], Some("rule"), Some("configured")), "ours");
    assert_eq!(name(&[], Some("rule"), Some("configured")), "rule");
    assert_eq!(name(&[], None, Some("configured")), "configured");
    assert_eq!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=$(X)")], None, None), "python3.11");
    let mut gone = process(&[]);
    gone.executable = "".into();
    assert_eq!(builder(None).process(&gone)["service.name"], "python3");
    assert_eq!(builder(None).process(&ProcessInfo::default())["service.name"], "unknown_service");
}

#[test]
fn a_process_is_described_without_its_arguments() {
    let resource = builder(None).process(&process(&[]));
    for (key, value) in [
        ("process.pid", json!(4242)),
        ("process.vpid", json!(7)),
        ("process.parent_pid", json!(1)),
        ("process.executable.name", json!("python3.11")),
        ("process.executable.path", json!("/usr/bin/python3.11")),
        ("process.command", json!("/usr/bin/python3")),
        ("process.owner", json!("app")),
        ("process.runtime.name", json!("cpython")),
        ("process.linux.cgroup", json!("/system.slice/app.service")),
        ("service.instance.id", json!("node-1:4242:99")),
        ("host.name", json!("node-1")),
        ("host.id", json!("0123456789abcdef0123456789abcdef")),
        ("host.arch", json!("amd64")),
        ("os.type", json!("linux")),
        ("telemetry.sdk.name", json!("wirespan")),
        ("telemetry.sdk.language", json!("python")),
        ("telemetry.distro.name", json!("wirespan")),
    ] {
        assert_eq!(resource.get(key), Some(&value), "{key}");
    }
    assert!(!format!("{resource:?}").contains("hush"));
    assert!(!resource.contains_key("container.id"));
}

#[test]
fn a_title_written_over_the_arguments_is_not_a_command() {
    let mut titled = process(&[]);
    titled.arguments = vec!["worker: token hush".to_owned()];
    titled.executable = "/opt/app (deleted)".into();
    let resource = builder(None).process(&titled);
    assert_eq!(resource["process.command"], "python3");
    assert_eq!(resource["process.executable.path"], "/opt/app");
    assert!(!resource.contains_key("process.runtime.name"));
}

#[test]
fn a_container_has_its_id_and_users_of_its_own() {
    let mut contained = process(&[]);
    contained.cgroup = format!("/kubepods/burstable/pod1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901/{ID}");
    let resource = builder(None).process(&contained);
    assert_eq!(resource["container.id"], ID);
    assert_eq!(resource["k8s.pod.uid"], "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901");
    assert_eq!(resource["process.owner"], "1000");
}

#[test]
fn a_process_may_describe_itself_but_not_its_facts() {
    let said = "deployment.environment.name=prod,host.name=pod-7,process.pid=1,telemetry.sdk.name=x,service.instance.id=i-1";
    let resource = builder(None).process(&process(&[("OTEL_RESOURCE_ATTRIBUTES", said)]));
    assert_eq!(resource["deployment.environment.name"], "prod");
    assert_eq!(resource["host.name"], "pod-7");
    assert_eq!(resource["process.pid"], 4242);
    assert_eq!(resource["telemetry.sdk.name"], "wirespan");
    assert_eq!(resource["service.instance.id"], "i-1");
}

#[test]
fn interpreters_are_known_by_their_file_name() {
    assert_eq!(runtime("node"), Some(("nodejs", "nodejs")));
    assert_eq!(runtime("python3.13"), Some(("python", "cpython")));
    assert_eq!(runtime("php8.2"), Some(("php", "php")));
    for other in ["curl", "nodejs-wrapper", "javac", "pythonista", ""] {
        assert_eq!(runtime(other), None, "{other}");
    }
}

#[test]
fn metrics_name_the_service_and_not_the_process() {
    let builder = builder(None);
    let mut other = process(&[]);
    other.pid = 4243;
    other.start_time = 100;
    let (first, second) =
        (for_metrics(&builder.process(&process(&[]))), for_metrics(&builder.process(&other)));
    assert_eq!(first, second);
    assert_eq!(first["service.name"], "python3.11");
    assert_eq!(first["service.instance.id"], "node-1");
    assert!(first.keys().all(|key| !key.starts_with("process.")));
    let given = process(&[("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=i-1")]);
    assert_eq!(for_metrics(&builder.process(&given))["service.instance.id"], "i-1");
}

#[test]
fn the_agent_names_itself() {
    let agent = builder(Some("configured")).agent();
    assert_eq!(agent["service.name"], "wirespan");
    assert_eq!(agent["service.instance.id"], "node-1");
}
