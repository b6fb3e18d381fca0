use super::*;
use proptest::prelude::*;

fn read(variables: &[(&str, &str)]) -> (Environment, Vec<String>) {
    let owned = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    Environment::read(owned)
}

#[test]
fn each_variable() {
    let (environment, warnings) = read(&[
        ("HEAPLENS_MODE", "exact"),
        ("HEAPLENS_SAMPLE_BYTES", "64KiB"),
        ("HEAPLENS_DEPTH", "32"),
        ("HEAPLENS_DIR", "/var/lib/snapshots"),
        ("HEAPLENS_INTERVAL", "200ms"),
        ("HEAPLENS_KEEP", "7"),
        ("HEAPLENS_MAX_DISK", "1GiB"),
        ("HEAPLENS_SIGNAL", "SIGUSR1"),
        ("HEAPLENS_ON_TERM", "1"),
        ("HEAPLENS_TRIGGERS", "peak"),
        ("HEAPLENS_LIMIT", "2GiB"),
        ("HEAPLENS_GRAPH", "on-leak"),
        ("HEAPLENS_HTTP", "localhost:6070"),
        ("HEAPLENS_HTTP_TOKEN_FILE", "/run/token"),
        ("HEAPLENS_ITERATIONS", "200"),
        ("HEAPLENS_TEST_TOOLS", "require"),
        ("HEAPLESS", "1"),
    ]);
    assert_eq!(
        environment,
        Environment {
            mode: Some(Mode::Exact),
            sample_bytes: Some(64 << 10),
            depth: Some(32),
            dir: Some(PathBuf::from("/var/lib/snapshots")),
            interval: Some(Duration::from_millis(200)),
            keep: Some(7),
            max_disk: Some(1 << 30),
            signal: Some(Signal::Usr1),
            on_term: Some(true),
            triggers: Rules::parse("peak"),
            limit: Some(2 << 30),
            graph: Some(scans::When::OnLeak),
            http: Some(Some(SocketAddr::from(([127, 0, 0, 1], 6070)))),
            http_token_file: Some(PathBuf::from("/run/token")),
            iterations: NonZeroU32::new(200),
        }
    );
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn none_is_written_in_several_ways() {
    for text in ["0", "none", "None", "0s", " 0 "] {
        assert_eq!(interval(OsStr::new(text)), Some(Duration::ZERO), "{text}");
    }
    for text in ["none", "NONE", " none "] {
        assert_eq!(signal(OsStr::new(text)), Some(Signal::None), "{text}");
    }
}

#[test]
fn every_bad_value_gets_one_line_and_changes_nothing() {
    for (name, value) in [
        ("HEAPLENS_MODE", "on"),
        ("HEAPLENS_SAMPLE_BYTES", "0"),
        ("HEAPLENS_SAMPLE_BYTES", "lots"),
        ("HEAPLENS_DEPTH", "3"),
        ("HEAPLENS_DIR", ""),
        ("HEAPLENS_INTERVAL", "60"),
        ("HEAPLENS_INTERVAL", "9ms"),
        ("HEAPLENS_INTERVAL", "-1s"),
        ("HEAPLENS_KEEP", "0"),
        ("HEAPLENS_KEEP", "-3"),
        ("HEAPLENS_MAX_DISK", "1.5GiB"),
        ("HEAPLENS_SIGNAL", "KILL"),
        ("HEAPLENS_ON_TERM", "yes"),
        ("HEAPLENS_TRIGGERS", "growth"),
        ("HEAPLENS_LIMIT", "0"),
        ("HEAPLENS_HTTP", "6070"),
        ("HEAPLENS_HTTP", "some.example:6070"),
        ("HEAPLENS_HTTP_TOKEN_FILE", ""),
        ("HEAPLENS_ITERATIONS", "0"),
        ("HEAPLENS_ITERATIONS", "5000000000"),
    ] {
        let (environment, warnings) = read(&[(name, value)]);
        assert_eq!(environment, Environment::default(), "{name}={value}");
        assert_eq!(warnings.len(), 1, "{name}={value}");
        let start = format!("{name}=\"{value}\" is ignored: it takes ");
        assert!(warnings[0].starts_with(&start), "{}", warnings[0]);
        assert!(warnings[0].len() > start.len());
    }
}

#[test]
fn unknown_variables_get_a_hint() {
    let line = |name| read(&[(name, "1")]).1.join("; ");
    assert_eq!(
        line("HEAPLENS_INTERVALL"),
        "HEAPLENS_INTERVALL is not a setting: did you mean HEAPLENS_INTERVAL?"
    );
    assert_eq!(
        line("HEAPLENS_MOD"),
        "HEAPLENS_MOD is not a setting: did you mean HEAPLENS_MODE?"
    );
    assert_eq!(
        line("HEAPLENS_FRAGMENTATION"),
        "HEAPLENS_FRAGMENTATION is not a setting of this version"
    );
}

proptest! {
    #[test]
    fn any_value_gives_a_setting_or_one_harmless_line(
        which in 0..VARIABLES.len(),
        value in any::<Vec<u8>>(),
    ) {
        let value = OsStr::from_bytes(&value).to_owned();
        let pair = (OsString::from(VARIABLES[which].name), value);
        let (environment, warnings) = Environment::read([pair]);
        prop_assert_eq!(environment == Environment::default(), warnings.len() == 1);
        prop_assert!(warnings.iter().all(|line| !line.contains(char::is_control)));
    }

    #[test]
    fn distance_is_one_for_one_letter(name in "[A-Z]{1,20}", at in any::<prop::sample::Index>()) {
        let at = at.index(name.len());
        let mut shorter = name.clone();
        shorter.remove(at);
        prop_assert_eq!(distance(&name, &name), 0);
        prop_assert_eq!(distance(&name, &shorter), 1);
        prop_assert_eq!(distance(&shorter, &name), 1);
    }
}
