//! The trace file system: where it is, and the layout of tracepoint records.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::CaptureError;

/// Where tracefs is mounted on current systems.
pub(crate) const TRACEFS: &str = "/sys/kernel/tracing";
/// Where it was mounted before, and where a mounted debugfs shows it.
pub(crate) const DEBUG_TRACEFS: &str = "/sys/kernel/debug/tracing";

/// The mounted trace file system, if there is one.
pub(crate) fn find() -> Option<PathBuf> {
    [TRACEFS, DEBUG_TRACEFS].into_iter().map(PathBuf::from).find(|path| path.join("events").is_dir())
}

/// The mounted trace file system; mounts it when it is not there.
pub(crate) fn find_or_mount() -> Result<PathBuf, CaptureError> {
    if let Some(path) = find() {
        return Ok(path);
    }
    let path = PathBuf::from(TRACEFS);
    let failed = |detail: String| CaptureError::Tracefs { path: path.clone(), detail };
    rustix::mount::mount("tracefs", &path, "tracefs", rustix::mount::MountFlags::empty(), None)
        .map_err(|error| failed(format!("mounting it failed ({error})")))?;
    tracing::info!(path = %path.display(), "mounted the trace file system");
    find().ok_or_else(|| failed("mounting it brought no tracepoints".to_owned()))
}

/// Layout of one tracepoint's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format {
    tracepoint: String,
    fields: Vec<Field>,
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Name.
    pub(crate) name: String,
    /// Offset in the record, in bytes.
    pub(crate) offset: u32,
    /// Size in bytes.
    pub(crate) size: u32,
}

impl Format {
    /// Reads `events/CATEGORY/NAME/format`.
    pub(crate) fn read(tracefs: &Path, category: &str, name: &str) -> Result<Self, CaptureError> {
        let path = tracefs.join("events").join(category).join(name).join("format");
        let tracepoint = format!("{category}:{name}");
        let text = fs::read_to_string(&path).map_err(|error| {
            let detail = match error.kind() {
                io::ErrorKind::NotFound => format!("this kernel does not have it (no {})", path.display()),
                _ => format!("reading {} failed: {error}", path.display()),
            };
            CaptureError::Tracepoint { tracepoint: tracepoint.clone(), detail }
        })?;
        Ok(Self::parse(&tracepoint, &text))
    }

    /// Parses the text of a format file: lines `field:TYPE NAME; offset:N; size:N; signed:N;`.
    pub(crate) fn parse(tracepoint: &str, text: &str) -> Self {
        let fields = text.lines().filter_map(parse_field).collect();
        Self { tracepoint: tracepoint.to_owned(), fields }
    }

    /// A field that may be missing.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Offset of a field that must be there with one of `sizes`.
    pub(crate) fn offset(&self, name: &str, sizes: &[u32]) -> Result<u32, CaptureError> {
        let failed = |detail| CaptureError::Tracepoint { tracepoint: self.tracepoint.clone(), detail };
        let field = self.field(name).ok_or_else(|| failed(format!("it has no field {name}")))?;
        if !sizes.contains(&field.size) {
            return Err(failed(format!(
                "its field {name} has {} bytes where {sizes:?} are expected",
                field.size
            )));
        }
        Ok(field.offset)
    }
}

fn parse_field(line: &str) -> Option<Field> {
    let rest = line.trim_start().strip_prefix("field:")?;
    let mut parts = rest.split(';').map(str::trim);
    let declaration = parts.next()?;
    let name = declaration.rsplit([' ', '*', '\t']).next()?.split('[').next()?.to_owned();
    let (mut offset, mut size) = (None, None);
    for part in parts {
        if let Some(value) = part.strip_prefix("offset:") {
            offset = value.parse().ok();
        } else if let Some(value) = part.strip_prefix("size:") {
            size = value.parse().ok();
        }
    }
    Some(Field { name, offset: offset?, size: size? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWTASK: &str = "name: task_newtask
ID: 122
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;
\tfield:char comm[16];\toffset:12;\tsize:16;\tsigned:0;
\tfield:unsigned long clone_flags;\toffset:32;\tsize:8;\tsigned:0;
\tfield:short oom_score_adj;\toffset:40;\tsize:2;\tsigned:1;

print fmt: \"pid=%d comm=%s\", REC->pid, REC->comm
";

    #[test]
    fn fields_have_offsets_and_sizes() {
        let format = Format::parse("task:task_newtask", NEWTASK);
        assert_eq!(format.offset("pid", &[4]).unwrap(), 8);
        assert_eq!(format.offset("clone_flags", &[8]).unwrap(), 32);
        assert_eq!(format.field("comm").unwrap().size, 16);
    }

    #[test]
    fn a_field_that_is_missing_or_of_another_size_is_an_error_that_names_it() {
        let format = Format::parse("task:task_newtask", NEWTASK);
        let missing = format.offset("group_dead", &[1]).unwrap_err().to_string();
        assert!(missing.contains("task:task_newtask") && missing.contains("group_dead"), "{missing}");
        assert!(format.offset("pid", &[8]).unwrap_err().to_string().contains("4 bytes"));
    }

    #[test]
    fn the_name_is_what_follows_the_type() {
        let pointer = "\tfield:const char * filename;\toffset:16;\tsize:8;\tsigned:0;";
        let location = "\tfield:__data_loc char[] parent_comm;\toffset:8;\tsize:4;\tsigned:0;";
        assert_eq!(parse_field(pointer).unwrap().name, "filename");
        assert_eq!(parse_field(location).unwrap().name, "parent_comm");
    }
}
