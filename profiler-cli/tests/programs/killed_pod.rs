//! A service in a pod: process 1 of its own name space, on a root that is read-only, stripped, with a
//! limit of memory. It is killed for want of memory and started again on the same volume; whoever looks
//! into it has HTTP and a token, and nothing else.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};

use heaplens::snapshot::{FileName, Limits, Reason, read};
use tempfile::tempdir;

use crate::build::{LINES, Profile, Program, skip};
use crate::group::Group;
use crate::run::{args, command, json};

const LIMIT: u64 = 96 << 20;
const TOKEN: &str = "three-in-the-morning";

/// A pod's volumes and its control group.
struct Pod<'a> {
    program: &'a Path,
    group: &'a Group,
    /// Where snapshots go: the one folder that can be written.
    volume: &'a Path,
    token_file: &'a Path,
    address: SocketAddr,
}

impl Pod<'_> {
    /// Starts the service. `None` where that is not allowed.
    fn start(&self) -> Option<Child> {
        const ENTER: &str = "echo 0 > \"$1\" && mount --bind \"$2\" \"$2\" && \
                             mount -o remount,bind,ro / && cd / && shift 2 && exec \"$@\"";
        let enter = |settings| {
            let mut enter = command("unshare", settings);
            enter
                .args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"])
                .args(["sh", "-c", ENTER, "sh"])
                .arg(self.group.members())
                .arg(self.volume);
            enter
        };
        let works = enter(&[]).arg("true").output();
        if !works.is_ok_and(|output| output.status.success()) {
            skip("unshare and mount, of util-linux, and the right to make namespaces");
            return None;
        }
        let address = self.address.to_string();
        let settings = [
            ("HEAPLENS_DIR", self.volume.as_os_str()),
            ("HEAPLENS_HTTP", address.as_ref()),
            ("HEAPLENS_HTTP_TOKEN_FILE", self.token_file.as_os_str()),
        ];
        let mut service = enter(&settings);
        service
            .arg(self.program)
            .stdin(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut service = service.spawn().expect("the service starts");
        let stdout = service.stdout.as_mut().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "process 1\n");
        Some(service)
    }

    fn get(&self, target: &str) -> Vec<u8> {
        let local = SocketAddr::from(([127, 0, 0, 1], self.address.port()));
        let mut stream = TcpStream::connect(local).expect("it listens");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: pod-7.example\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sending");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let body = answer.split_off(head.expect("a head") + 4);
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{target}: {answer:?}");
        body
    }
}

/// Whether the system has killed a process of the group for want of memory.
fn was_killed(group: &Group) -> bool {
    let members = group.members();
    let folder = members.parent().expect("the group's folder");
    // Of version 1 and 2.
    let events = ["memory.oom_control", "memory.events"];
    let events = events
        .iter()
        .filter_map(|file| fs::read_to_string(folder.join(file)).ok());
    events
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .any(|line| {
            line.strip_prefix("oom_kill ")
                .is_some_and(|count| count != "0")
        })
}

#[test]
fn a_killed_run_is_fetched_from_its_successor_and_names_the_leak() {
    let profile = Profile {
        features: "http",
        ..LINES
    };
    let program = Program::build("sessions", &profile);
    let Some(deployed) = program.stripped() else {
        return;
    };
    let Some(group) = Group::new(LIMIT) else {
        return skip("the right to make a control group of memory");
    };
    let folder = tempdir().expect("a temporary folder");
    let [volume, token_file] = ["volume", "token"].map(|name| folder.path().join(name));
    fs::create_dir(&volume).expect("a new folder");
    fs::write(&token_file, TOKEN).expect("a new file");
    let free = TcpListener::bind("0.0.0.0:0").and_then(|listener| listener.local_addr());
    let pod = Pod {
        program: &deployed.path,
        group: &group,
        volume: &volume,
        token_file: &token_file,
        address: free.expect("a free address"),
    };
    let Some(mut service) = pod.start() else {
        return;
    };
    let mut load = service.stdin.take().expect("a pipe");
    writeln!(load, "1000000").expect("it reads");
    let status = service.wait().expect("it ends");
    assert!(!status.success());
    assert!(was_killed(&group), "{status}");

    let mut successor = pod.start().expect("it did so before");
    let listed = pod.get("/debug/heaplens/snapshots");
    let listed = String::from_utf8(listed).expect("UTF-8");
    // By name, hence by time: those of the successor come last, and it has taken none.
    let last = listed.lines().next_back();
    let last = last.expect("snapshots of the run that was killed");
    let last = last.split_whitespace().nth(1).expect("a name");
    let name = FileName::parse(last).expect("a snapshot's name");
    assert_eq!((name.run.pid, &*name.reason), (1, "limit"), "{listed}");
    let fetched = folder.path().join(last);
    fs::write(
        &fetched,
        pod.get(&format!("/debug/heaplens/snapshots/{last}")),
    )
    .expect("a new file");

    // Whole, and at most one step of 60, 80 and 90 % before the end.
    let header = read(&fetched, &Limits::default())
        .expect("a whole snapshot")
        .header;
    assert_eq!(header.reason, Reason::Limit);
    let used = header.memory.cgroup_usage_bytes.expect("a control group");
    assert_eq!(header.memory.cgroup_limit_bytes, Some(LIMIT));
    assert!(used >= LIMIT * 8 / 10, "{used}");
    let top = json(args![
        "top",
        fetched,
        "--debug-dir",
        *program.folder(),
        "--format",
        "json"
    ]);
    assert_eq!(top["rows"][0]["name"], "sessions::open_session", "{top:#}");

    // The input ends, and so does the service, which is well.
    drop(successor.stdin.take());
    assert!(successor.wait().expect("it ends").success());
}
