//! What is below deploy/ agrees with itself and with the program: one command line, one set of capabilities, a
//! configuration that is valid.

#![expect(clippy::unwrap_used, reason = "a broken deploy file shall stop the test")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use wirespan::config::{ByteSize, Config};

const COMMAND: [&str; 4] = ["/usr/bin/wirespan", "run", "--config", "/etc/wirespan/wirespan.yaml"];
const CAPABILITIES: [&str; 4] = ["BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH"];

fn file(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

fn manifest(name: &str) -> Value {
    serde_saphyr::from_str(&file(name).1).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

#[test]
fn the_configuration_in_the_manifest_is_valid_and_fits_into_the_memory_limit() {
    let map = manifest("kubernetes/20-configmap.yaml");
    let text = at(&map, "/data/wirespan.yaml").as_str().unwrap();
    let config = Config::parse(text, "20-configmap.yaml").unwrap();
    assert!(config.capture.scope.all);
    assert!(!config.content.enabled);

    let set = manifest("kubernetes/30-daemonset.yaml");
    let container = at(&set, "/spec/template/spec/containers/0");
    let limit = at(container, "/resources/limits/memory").as_str().unwrap();
    let limit: u64 = limit.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() << 20;
    let ByteSize(ring) = config.capture.ring_size;
    let ByteSize(exchanges) = config.capture.memory;
    let ByteSize(store) = config.store.max_size;
    assert!(ring.next_power_of_two() + exchanges + store + (60 << 20) <= limit);

    let mounts = at(container, "/volumeMounts").as_array().unwrap();
    let socket = config.api.socket.to_str().unwrap();
    assert!(mounts.iter().any(|mount| socket.starts_with(mount["mountPath"].as_str().unwrap())), "{socket}");
}

#[test]
fn manifest_image_and_unit_run_the_same_command() {
    let set = manifest("kubernetes/30-daemonset.yaml");
    let container = at(&set, "/spec/template/spec/containers/0");
    let mut command = texts(at(container, "/command"));
    command.extend(texts(at(container, "/args")));
    assert_eq!(command, COMMAND);

    let (_, recipe) = file("container/Containerfile");
    let instruction = |name: &str| -> Vec<String> {
        let line = recipe.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        serde_json::from_str(line).unwrap()
    };
    let image = [instruction("ENTRYPOINT "), instruction("CMD ")].concat();
    assert_eq!(image, COMMAND);
    assert!(recipe.contains(at(container, "/image").as_str().unwrap()), "the recipe names the image");

    let (_, unit) = file("systemd/wirespan.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert_eq!(start.split(' ').collect::<Vec<_>>(), COMMAND);
}

#[test]
fn the_least_capabilities_and_each_one_explained() {
    let set = manifest("kubernetes/30-daemonset.yaml");
    let security = at(&set, "/spec/template/spec/containers/0/securityContext");
    assert_eq!(texts(at(security, "/capabilities/add")), CAPABILITIES);
    assert_eq!(texts(at(security, "/capabilities/drop")), ["ALL"]);
    assert_eq!(at(security, "/privileged"), false);
    assert_eq!(at(security, "/allowPrivilegeEscalation"), false);
    assert_eq!(at(security, "/readOnlyRootFilesystem"), true);
    let (_, text) = file("kubernetes/30-daemonset.yaml");
    for name in CAPABILITIES {
        let before = text.split_once(&format!("- {name}\n")).unwrap().0;
        assert!(
            before.trim_end().lines().next_back().unwrap().trim_start().starts_with('#'),
            "{name} has no reason"
        );
    }

    let (_, unit) = file("systemd/wirespan.service");
    for key in ["CapabilityBoundingSet=", "AmbientCapabilities="] {
        let list = unit.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        let names: Vec<&str> = list.split(' ').map(|name| name.strip_prefix("CAP_").unwrap()).collect();
        assert_eq!(names, CAPABILITIES, "{key}");
    }
    for name in CAPABILITIES {
        assert!(
            unit.lines().any(|line| line.starts_with(&format!("#   CAP_{name} "))),
            "{name} has no reason"
        );
    }
}

#[test]
fn volumes_and_mounts_belong_together() {
    let set = manifest("kubernetes/30-daemonset.yaml");
    let pod = at(&set, "/spec/template/spec");
    let names = |pointer: &str| {
        let mut names: Vec<&str> =
            at(pod, pointer).as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("/volumes"), names("/containers/0/volumeMounts"));
    let map = manifest("kubernetes/20-configmap.yaml");
    let config =
        at(pod, "/volumes").as_array().unwrap().iter().find(|volume| volume["name"] == "config").unwrap();
    assert_eq!(config["configMap"]["name"], map["metadata"]["name"]);
    assert_eq!(at(pod, "/hostPID"), true);
}
