//! Container and pod from a cgroup path, by the forms that the runtimes use.

/// What a cgroup path says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// `container.id`
    pub id: Option<String>,
    /// `container.runtime.name`, where the path names it.
    pub runtime: Option<&'static str>,
    /// `k8s.pod.uid`
    pub pod_uid: Option<String>,
}

/// Prefixes of systemd scopes and of the `:`-separated form, with the runtime.
const PREFIXES: &[(&str, &str)] = &[
    ("cri-containerd-", "containerd"),
    ("nerdctl-", "containerd"),
    ("crio-", "cri-o"),
    ("libpod-", "podman"),
    ("docker-", "docker"),
];

impl Container {
    /// Reads a path; the innermost container and pod count (a node that is itself a container has several).
    #[must_use]
    pub fn from_cgroup(path: &str) -> Self {
        let mut found = Self::default();
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        for (index, segment) in segments.iter().enumerate().rev() {
            let parent = index.checked_sub(1).and_then(|at| segments.get(at)).copied();
            if found.id.is_none()
                && let Some((id, runtime)) = container(segment, parent)
            {
                (found.id, found.runtime) = (Some(id), runtime);
            }
            if found.pod_uid.is_none() {
                found.pod_uid = pod_uid(segment);
            }
        }
        found
    }
}

/// The container id in one segment.
fn container(segment: &str, parent: Option<&str>) -> Option<(String, Option<&'static str>)> {
    // `kubepods-….slice:cri-containerd:<id>`: containerd with the systemd driver outside of systemd.
    if let Some((head, id)) = segment.rsplit_once(':') {
        let runtime = head.rsplit(':').next().and_then(|name| {
            PREFIXES
                .iter()
                .find(|(prefix, _)| prefix.strip_suffix('-') == Some(name))
                .map(|(_, runtime)| *runtime)
        });
        return is_id(id).then(|| (id.to_owned(), runtime));
    }
    let name = segment.strip_suffix(".scope").unwrap_or(segment);
    if let Some((id, runtime)) =
        PREFIXES.iter().find_map(|(prefix, runtime)| Some((name.strip_prefix(prefix)?, *runtime)))
    {
        return is_id(id).then(|| (id.to_owned(), Some(runtime)));
    }
    if is_id(name) {
        let runtime = (parent == Some("docker")).then_some("docker");
        return Some((name.to_owned(), runtime));
    }
    // ECS on Fargate: <32 hex>-<digits>.
    let (task, number) = name.split_once('-')?;
    let fargate = task.len() == 32
        && is_hex(task)
        && (1..=20).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit());
    fargate.then(|| (name.to_owned(), None))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && is_hex(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The pod in one segment: `pod<uid>` or `kubepods-…-pod<uid with underscores>.slice`; static pods have 32 digits.
fn pod_uid(segment: &str) -> Option<String> {
    // The form with `:` has the slice first.
    let name = segment.split(':').next()?;
    let name = name.strip_suffix(".slice").unwrap_or(name);
    let uid = match name.strip_prefix("pod") {
        Some(uid) => uid,
        None if name.starts_with("kubepods") || name.starts_with("kubelet") => name.rsplit_once("-pod")?.1,
        None => return None,
    };
    let uid = uid.replace('_', "-");
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    let shape = matches!(groups.as_slice(), [8, 4, 4, 4, 12] | [32]);
    (shape && uid.split('-').all(is_hex)).then_some(uid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "4f2b1c9e8d7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c";
    const UID: &str = "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901";

    fn read(path: &str) -> Container {
        let underscored = UID.replace('-', "_");
        Container::from_cgroup(
            &path.replace("{id}", ID).replace("{uid}", UID).replace("{uid_}", &underscored),
        )
    }

    #[test]
    fn the_forms_of_the_runtimes_are_known() {
        for (path, runtime, pod) in [
            ("/docker/{id}", Some("docker"), false),
            ("/system.slice/docker-{id}.scope", Some("docker"), false),
            (
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope/container",
                Some("podman"),
                false,
            ),
            ("/machine.slice/libpod-{id}.scope", Some("podman"), false),
            ("/kubepods/burstable/pod{uid}/{id}", None, true),
            ("/kubepods/besteffort/pod{uid}/{id}/inner", None, true),
            (
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid_}.slice/cri-containerd-{id}.scope",
                Some("containerd"),
                true,
            ),
            ("/kubepods.slice/kubepods-pod{uid_}.slice/crio-{id}.scope", Some("cri-o"), true),
            (
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{uid_}.slice/docker-{id}.scope",
                Some("docker"),
                true,
            ),
            (
                "/system.slice/containerd.service/kubepods-burstable-pod{uid_}.slice:cri-containerd:{id}",
                Some("containerd"),
                true,
            ),
            (
                "/docker/0000000000000000000000000000000000000000000000000000000000000000/kubelet.slice/kubelet-kubepods.slice/\
                 kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{uid_}.slice/cri-containerd-{id}.scope",
                Some("containerd"),
                true,
            ),
            ("/ecs/task/{id}", None, false),
        ] {
            let container = read(path);
            assert_eq!(container.id.as_deref(), Some(ID), "{path}");
            assert_eq!(container.runtime, runtime, "{path}");
            assert_eq!(container.pod_uid.as_deref(), pod.then_some(UID), "{path}");
        }
    }

    #[test]
    fn static_pods_and_fargate_tasks_have_ids_of_their_own() {
        let container = read("/kubepods/burstable/pod0123456789abcdef0123456789abcdef/{id}");
        assert_eq!(container.pod_uid.as_deref(), Some("0123456789abcdef0123456789abcdef"));
        let container =
            read("/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890");
        assert_eq!(container.id.as_deref(), Some("0123456789abcdef0123456789abcdef-1234567890"));
    }

    #[test]
    fn what_is_no_container_has_no_id() {
        for path in [
            "",
            "/",
            "/init.scope",
            "/user.slice/user-1000.slice/session-2.scope",
            "/system.slice/docker.service",
            "/machine.slice/libpod-conmon-{id}.scope",
            "/system.slice/docker-123.scope",
            "/podium/podcast",
        ] {
            assert_eq!(read(path), Container::default(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn any_path_is_read(path in "(/[a-f0-9:._-]{0,70}|/pod[a-f0-9_-]{0,40}|.*){0,4}") {
            let container = Container::from_cgroup(&path);
            if let Some(id) = container.id {
                prop_assert!(path.contains(&id));
            }
        }
    }
}
