//! Looking at programs that run: `heaplens snapshot`, `heaplens watch`, and URLs where files can be.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use heaplens::snapshot::FileName;
use serde_json::Value;
use tempfile::tempdir;

use crate::build::{PLAIN, Program, skip};
use crate::pods::{GOOD, LEAKED, LEAKY, Pod};
use crate::run::{args, command, heaplens, json, snapshots_in};

pub(crate) fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// The only line of a command that fails.
fn failure(arguments: &[std::ffi::OsString]) -> String {
    let output = heaplens(arguments);
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stdout, "");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

/// The only line of a command that succeeds: a path.
pub(crate) fn path(arguments: &[std::ffi::OsString]) -> std::path::PathBuf {
    let output = heaplens(arguments);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stderr}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    stdout.trim_end().into()
}

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("a file");
    metadata.permissions().mode() & 0o777
}

#[test]
fn a_process_is_asked_by_its_signal_and_no_other() {
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    for signal in ["USR2", "HUP"] {
        let pod = Pod::start(&program.path, folder.path(), &[("HEAPLENS_SIGNAL", signal)]);
        let pid = pod.child.id().to_string();
        // The first one of its run, and one after it.
        for number in 1..=2 {
            let taken = path(args!["snapshot", pid]);
            assert_eq!(taken.parent(), Some(folder.path()));
            let name = taken.file_name().and_then(|name| name.to_str());
            let name = name.and_then(FileName::parse).expect("a snapshot");
            assert_eq!((name.sequence, &*name.reason), (number, "signal"));
            assert_eq!(name.run.pid, pod.child.id());
            assert_eq!(
                json(args!["inspect", taken, "--format", "json"])["row_count"],
                1
            );
        }
        let copy = folder.path().join("copy");
        assert_eq!(path(args!["snapshot", pid, "-o", copy]), copy);
        assert_eq!(mode(&copy), 0o600);
        let error = failure(args!["snapshot", pid, "-o", copy]);
        assert!(error.contains("--force"), "{error}");
        path(args!["snapshot", pid, "-o", copy, "--force"]);
        fs::remove_file(copy).expect("the copy");
    }

    let pod = Pod::start(&program.path, folder.path(), &[("HEAPLENS_SIGNAL", "none")]);
    let error = failure(args!["snapshot", pod.child.id().to_string()]);
    assert!(error.contains("HEAPLENS_SIGNAL=USR2"), "{error}");
    let off = Pod::start(&program.path, folder.path(), &[("HEAPLENS_MODE", "off")]);
    let error = failure(args!["snapshot", off.child.id().to_string()]);
    assert!(error.contains("heaplens does not run in it"), "{error}");
    // Neither has got a signal, which would have ended it.
    for mut pod in [pod, off] {
        pod.serve();
    }
}

#[test]
fn a_process_that_cannot_be_asked_gets_one_line() {
    let mut other = command("sleep", &[])
        .arg("60")
        .spawn()
        .expect("sleep starts");
    let error = failure(args!["snapshot", other.id().to_string()]);
    assert!(error.contains("heaplens does not run in it"), "{error}");
    assert!(other.try_wait().expect("its state").is_none());
    other.kill().expect("it runs");
    other.wait().expect("it ends");
    for (target, what) in [
        (other.id().to_string(), "no such process"),
        ("0".to_owned(), "no process id"),
        ("4294967295".to_owned(), "no process id"),
        ("pod-a".to_owned(), "neither a process id nor a URL"),
    ] {
        let error = failure(args!["snapshot", target]);
        assert!(error.contains(what), "{error}");
    }
    // A folder that cannot be written: the process says so, and this does not wait for ever.
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let pod = Pod::start(&program.path, &file.join("below"), &[]);
    let pid = pod.child.id().to_string();
    let error = failure(args!["snapshot", pid, "--timeout", "300ms"]);
    assert!(error.contains("no snapshot has come"), "{error}");
}

#[test]
fn a_process_in_a_container_is_found_from_outside() {
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).expect("a folder");
    // Its snapshots lie on a file system that nobody else sees, and it is process 1.
    const ENTER: &str = "mount -t tmpfs none \"$1\" && exec \"$2\"";
    let unshare = || {
        let mut command = command("unshare", &[("HEAPLENS_DIR", inside.as_os_str())]);
        command.args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]);
        command
    };
    let works = unshare().arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("unshare, of util-linux, and the right to make namespaces");
        return;
    }
    let mut outer = unshare()
        .args(["sh", "-c", ENTER, "sh"])
        .args([inside.as_os_str(), program.path.as_os_str()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("the pod starts");
    let mut ready = String::new();
    let stdout = outer.stdout.take().expect("a pipe");
    BufReader::new(stdout)
        .read_line(&mut ready)
        .expect("a line");
    assert_eq!(ready, "ready\n");
    let children = format!("/proc/{0}/task/{0}/children", outer.id());
    let child = fs::read_to_string(children).expect("its children");
    let taken = path(args!["snapshot", child.trim()]);
    assert!(
        taken.starts_with(format!("/proc/{}/root", child.trim())),
        "{taken:?}"
    );
    assert!(taken.to_string_lossy().contains("Z-1.000001.signal"));
    let kept = folder.path().join("kept.json.gz");
    path(args!["snapshot", child.trim(), "-o", kept]);
    outer.kill().expect("it runs");
    outer.wait().expect("it ends");
    let inspected = json(args!["inspect", kept, "--format", "json"]);
    assert_eq!(inspected["rows"][0]["program"]["pid"], 1);
}

#[test]
fn an_endpoint_is_a_file_and_a_folder() {
    let program = Program::build("pod", &LEAKY);
    let folder = tempdir().expect("a temporary folder");
    let here = tempdir().expect("a temporary folder");
    let mut pod = Pod::start(&program.path, folder.path(), &[]);
    let url = pod.url();
    let error = failure(args!["suspects", url]);
    assert!(
        error.contains("no snapshots in the service's folder"),
        "{error}"
    );

    let before = here.path().join("before.json.gz");
    assert_eq!(path(args!["snapshot", url, "-o", before]), before);
    assert_eq!(mode(&before), 0o600);
    pod.serve();
    let diff = json(args!["diff", before, url, "--format", "json"]);
    assert_eq!(diff["owners"][0]["change"]["live_bytes"], LEAKED);
    assert_eq!(diff["per_process"], false);
    assert_eq!(diff["after_snapshots"][0]["file"], url);

    // As a profile, and as one of the files in its folder.
    let profile = format!("{url}/debug/pprof/heap");
    let held = |top: &Value| top["rows"][0]["live_bytes"].as_i64();
    assert_eq!(
        held(&json(args!["top", profile, "--format", "json"])),
        Some(LEAKED)
    );
    let files = snapshots_in(folder.path());
    let (name, _) = files.last_key_value().expect("a snapshot");
    let list = format!("{url}/debug/heaplens/snapshots");
    let file = format!("{list}/{name}");
    assert_eq!(
        held(&json(args!["top", file, "--format", "json"])),
        Some(LEAKED)
    );
    let error = failure(args!["top", list]);
    assert!(error.contains("a list of snapshots"), "{error}");

    // Where a folder would do, all that is in the folder.
    for target in [&url, &list] {
        let suspects = json(args!["suspects", target, "--format", "json"]);
        let seen = suspects["snapshots"].as_array().expect("snapshots");
        assert_eq!(seen.len(), snapshots_in(folder.path()).len());
    }
    let page = here.path().join("report.html");
    let output = heaplens(args!["report", url, "-o", page]);
    assert!(output.status.success(), "{output:?}");
    let error = failure(args!["symbolize", url]);
    assert!(error.contains("pass -o FILE"), "{error}");
    let named = here.path().join("named.json.gz");
    let output = heaplens(args!["symbolize", file, "-o", named]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(mode(&named), 0o600);
    for (verb, rest) in [
        ("flamegraph", &["--format", "folded"][..]),
        ("inspect", &[]),
        ("export", &["--to", "folded"]),
    ] {
        let mut line = args![verb, url].to_vec();
        line.extend(rest.iter().map(std::ffi::OsString::from));
        let output = heaplens(&line);
        assert!(output.status.success(), "{output:?}");
    }
    // Without -o, a file of the same name where one is.
    let mut command = command(env!("CARGO_BIN_EXE_heaplens"), &[]);
    command.current_dir(here.path()).args(["snapshot", &url]);
    let output = command.output().expect("heaplens starts");
    let (stdout, _) = text(&output);
    let name = Path::new(stdout.trim_end()).file_name();
    let name = name
        .and_then(|name| name.to_str())
        .and_then(FileName::parse);
    assert_eq!(name.map(|name| name.reason).as_deref(), Some("http"));
}

#[test]
fn a_token_is_sent_from_its_file() {
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    let token = folder.path().join("token");
    fs::write(&token, "secret\n").expect("a file");
    let file = token.to_str().expect("a path");
    let pod = Pod::start(
        &program.path,
        &folder.path().join("snapshots"),
        &[("HEAPLENS_HTTP_TOKEN_FILE", file)],
    );
    let error = failure(args!["top", pod.url()]);
    assert!(
        error.contains("401") && error.contains("--token-file"),
        "{error}"
    );
    let output = heaplens(args!["top", pod.url(), "--token-file", token]);
    assert!(output.status.success(), "{output:?}");
    let by_variable = command(
        env!("CARGO_BIN_EXE_heaplens"),
        &[("HEAPLENS_HTTP_TOKEN_FILE", token.as_os_str())],
    )
    .args(["watch", &pod.url(), "--count", "1"])
    .output();
    assert!(by_variable.expect("heaplens starts").status.success());
    fs::write(&token, "two words").expect("a file");
    let error = failure(args!["top", pod.url(), "--token-file", token]);
    assert!(error.contains("holds no token"), "{error}");
}

/// Lines of the command that watches, as they come.
struct Watching {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watching {
    fn start(target: &str) -> Self {
        let mut child = command(env!("CARGO_BIN_EXE_heaplens"), &[])
            .args(["watch", target, "--interval", "50ms"])
            .spawn()
            .expect("heaplens starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// The next line that holds this.
    fn until(&mut self, what: &str) -> String {
        let mut lines = self.lines.by_ref().map(|line| line.expect("text"));
        let found = lines.find(|line| line.contains(what));
        found.unwrap_or_else(|| panic!("it ended without {what}"))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_watched_endpoint_shows_who_grows_and_survives_a_restart() {
    let program = Program::build("pod", &LEAKY);
    let folder = tempdir().expect("a temporary folder");
    let mut pod = Pod::start(&program.path, folder.path(), &[]);
    let address = pod.address;
    let mut watching = Watching::start(&pod.url());
    watching.until("from the second look on");
    pod.serve();
    let grown = watching.until("pod::compose");
    assert!(grown.trim_start().starts_with("+1.0 MiB"), "{grown}");
    assert!(snapshots_in(folder.path()).is_empty(), "nothing is written");
    drop(pod);
    let line = watching.until("NOT SEEN since");
    assert!(line.contains("connection refused"), "{line}");
    let _again = Pod::start_at(address, &program.path, folder.path(), &[]);
    watching.until("STARTED AGAIN");
}

#[test]
fn a_watched_folder_shows_what_comes() {
    let program = Program::build("service", &PLAIN);
    let folder = tempdir().expect("a temporary folder");
    let at = folder.path().to_str().expect("a path").to_owned();
    let error = failure(args!["watch", at]);
    assert!(error.contains("no snapshots in this folder yet"), "{error}");
    let leak = || {
        let mut command = command(
            &program.path,
            &[("HEAPLENS_DIR", folder.path().as_os_str())],
        );
        let mut child = command
            .arg("leak")
            .env("HEAPLENS_MODE", "exact")
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "leaked\n");
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    };
    leak();
    // The snapshots are from before the first look, and say already what has grown.
    let output = heaplens(args!["watch", at, "--count", "2", "--interval", "10ms"]);
    let (stdout, stderr) = text(&output);
    assert!(output.status.success(), "{stderr}");
    let blocks: Vec<&str> = stdout.split("\n\n").collect();
    assert_eq!(blocks.len(), 4, "{stdout}");
    assert_eq!(
        blocks[..2],
        blocks[2..]
            .iter()
            .map(|block| block.trim_end())
            .collect::<Vec<_>>()[..],
        "nothing new"
    );
    assert!(stdout.contains("service::compose"), "{stdout}");
    assert!(!stdout.contains('\u{1b}'), "{stdout}");

    let mut watching = Watching::start(&at);
    watching.until("service::compose");
    leak();
    watching.until("STARTED AGAIN");
}
