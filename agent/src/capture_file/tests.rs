//! What is written is read back; a cut or corrupted file loses only what it must.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use agent_capture::{ConnectionId, Direction, Peer, ProcessInfo, StreamChunk};
use proptest::prelude::*;

use super::*;

fn connection() -> impl Strategy<Value = ConnectionId> {
    (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
        |(tgid, start_time, handle, generation)| ConnectionId { tgid, start_time, handle, generation },
    )
}

fn frame() -> impl Strategy<Value = Frame> {
    let text = || "\\PC{0,12}";
    prop_oneof![
        (
            any::<[u32; 4]>(),
            any::<u64>(),
            [text(), text(), text()],
            proptest::collection::vec(text(), 0..3),
            proptest::collection::vec((text(), text()), 0..3)
        )
            .prop_map(
                |(
                    [pid, parent_pid, namespace_pid, uid],
                    start_time,
                    [command, exe, cgroup],
                    arguments,
                    environment,
                )| {
                    Frame::Event(CaptureEvent::Process(Box::new(ProcessInfo {
                        pid,
                        parent_pid,
                        namespace_pid,
                        start_time,
                        command,
                        executable: PathBuf::from(exe),
                        arguments,
                        environment,
                        cgroup,
                        uid,
                    })))
                }
            ),
        (
            connection(),
            any::<bool>(),
            any::<u64>(),
            any::<u64>(),
            proptest::collection::vec(any::<u8>(), 0..64)
        )
            .prop_map(|(connection, out, offset, ktime, bytes)| {
                let direction = if out { Direction::Egress } else { Direction::Ingress };
                Frame::Event(CaptureEvent::Chunk(StreamChunk { connection, direction, offset, ktime, bytes }))
            }),
        (connection(), any::<u64>())
            .prop_map(|(connection, ktime)| Frame::Event(CaptureEvent::Shutdown { connection, ktime })),
        (connection(), any::<Option<std::net::SocketAddr>>(), 0..u16::MAX, any::<u64>()).prop_map(
            |(connection, remote, port, ktime)| {
                let remote = remote.map(|remote| std::net::SocketAddr::new(remote.ip(), remote.port()));
                let peer = Peer { remote, local_port: (port != 0).then_some(port) };
                Frame::Event(CaptureEvent::Peer { connection, peer, ktime })
            }
        ),
        (connection(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(
            |(connection, egress_end, ingress_end, ktime)| {
                Frame::Event(CaptureEvent::Closed { connection, egress_end, ingress_end, ktime })
            }
        ),
        (any::<u32>(), any::<u64>())
            .prop_map(|(pid, ktime)| Frame::Event(CaptureEvent::Exited { pid, ktime })),
        any::<i64>().prop_map(Frame::Clock),
        any::<u64>().prop_map(Frame::Tick),
        (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(chunks, bytes, lost_bytes)| Frame::Totals {
            chunks,
            bytes,
            lost_bytes
        }),
    ]
}

fn header() -> Header {
    Header {
        wirespan: "0".into(),
        boot_id: "b".into(),
        clock_offset: -5,
        host: BTreeMap::from([("host.name".into(), "h".into())]),
    }
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut recorder = Recorder::new(Vec::new(), Path::new("test"), &header()).expect("writes");
    for frame in frames {
        match frame {
            Frame::Event(event) => recorder.event(event),
            other => recorder.frame(other),
        }
    }
    recorder.into_inner().expect("nothing failed")
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(frames in proptest::collection::vec(frame(), 0..12)) {
        let bytes = written(&frames);
        let mut reader = Reader::new(bytes.as_slice()).expect("a good file");
        prop_assert_eq!(reader.header(), &header());
        let mut back = Vec::new();
        while let Some(frame) = reader.next_frame().expect("good frames") {
            back.push(frame);
        }
        prop_assert_eq!(back, frames);
        prop_assert_eq!(reader.cut_at(), None);
    }

    #[test]
    fn a_cut_file_gives_what_came_before(frames in proptest::collection::vec(frame(), 1..8), cut in 0.0..1.0_f64) {
        let bytes = written(&frames);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a fraction of a small length")]
        let length = (bytes.len() as f64 * cut) as usize;
        let Ok(mut reader) = Reader::new(&bytes[..length]) else { return Ok(()) };
        let mut back = Vec::new();
        while let Some(frame) = reader.next_frame().expect("a cut is no error") {
            back.push(frame);
        }
        prop_assert!(back.len() <= frames.len());
        prop_assert_eq!(&back[..], &frames[..back.len()]);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = written(&[]);
        bytes.extend_from_slice(&tail);
        let mut reader = Reader::new(bytes.as_slice()).expect("the header is good");
        for _ in 0..300 {
            if matches!(reader.next_frame(), Ok(None)) { break }
        }
    }
}

#[test]
fn a_broken_frame_is_reported_and_the_next_is_read() {
    let frames = [Frame::Tick(1), Frame::Tick(2), Frame::Tick(3)];
    let mut bytes = written(&frames);
    let second = bytes.len() - 17 - 17 + 6;
    bytes[second] ^= 0xff;
    let mut reader = Reader::new(bytes.as_slice()).expect("the header is good");
    assert_eq!(reader.next_frame().expect("good"), Some(Frame::Tick(1)));
    assert!(matches!(reader.next_frame(), Err(CaptureFileError::Frame { .. })));
    assert_eq!(reader.next_frame().expect("good"), Some(Frame::Tick(3)));
    assert_eq!(reader.next_frame().expect("the end"), None);
}

#[test]
fn other_files_and_later_versions_are_refused() {
    assert!(matches!(Reader::new(&b"{\"id\": 1}\n{}"[..]), Err(CaptureFileError::NotACaptureFile)));
    let mut bytes = written(&[]);
    bytes[8] = 1;
    assert!(Reader::new(bytes.as_slice()).is_ok(), "the version before");
    bytes[8] = 9;
    assert!(matches!(Reader::new(bytes.as_slice()), Err(CaptureFileError::Version(9))));
}

/// Takes the header, then fails like a full disk.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0 < data.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0 -= data.len();
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_stops_the_file_and_is_counted() {
    let mut recorder = Recorder::new(Full(400), Path::new("test"), &header()).expect("the header fits");
    for at in 0..100 {
        recorder.frame(&Frame::Tick(at));
    }
    assert!(recorder.lost_frames() > 0 && recorder.lost_frames() < 100);
    assert_eq!(recorder.lost_bytes(), recorder.lost_frames() * 8);
}

#[test]
fn the_file_is_private_even_when_it_was_not() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.wscap");
    std::fs::write(&path, "old").expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    let mut recorder = Recorder::create(&path, &header()).expect("create");
    recorder.frame(&Frame::Tick(1));
    recorder.flush();
    assert_eq!(std::fs::metadata(&path).expect("stat").permissions().mode() & 0o777, 0o600);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&path, &link).expect("link");
    assert!(Recorder::create(&link, &header()).is_err(), "a symbolic link is not followed");
}
