//! Libraries that come and go between captures.

use super::call_shapes::{Builder, FUNCTIONS, Library};
use super::probe::{Fixture, Probe};
use super::*;

/// Looks from within each of a library's functions.
fn look_from(library: &Library, probe: &mut Probe<'_>) -> Result<(), String> {
    for function in 0..FUNCTIONS {
        for _ in 0..2 {
            library.call(function, 100, &mut || probe.check());
        }
    }
    probe.outcome()
}

/// Two libraries whose code differs, and which take the same room: the linker lays out both alike.
fn pair(builder: &Builder) -> [std::path::PathBuf; 2] {
    [
        builder.build(&[
            "-O2",
            "-fomit-frame-pointer",
            "-Wl,-z,max-page-size=0x10000",
        ]),
        builder.build(&["-O2", "-mstackrealign", "-Wl,-z,max-page-size=0x10000"]),
    ]
}

/// Takes room where the next library would have come to lie, so that it lies elsewhere, by other pages.
fn occupy(tries: usize) {
    crate::platform::map_zeroed((64 + tries % 16) << 12).expect("a mapping");
}

#[test]
fn a_library_that_replaces_another_at_its_place_is_followed() {
    let builder = Builder::new();
    let [first, second] = pair(&builder);
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    // Made here, since it would come to lie beside the first library and leave too little room.
    let memory = probe::memory();
    // Where a library comes to lie depends on what lies around it, and other threads of this program
    // map memory too: it takes tries until one is where the other was.
    let replaced = (0..1_000).find_map(|tries| {
        let library = Library::open(&first);
        let place = library.place();
        // The library is not listed yet: stacks end there, and say so.
        let mut cause = None;
        library.call(1, 100, &mut || {
            let here = Registers::here();
            cause = fixture.walker.capture(memory, here).truncated;
        });
        assert_eq!(cause, Some(TruncatedCause::UnknownModule));
        assert!(fixture.walker.stepper.modules.is_refresh_wanted());
        library.close();
        let library = Library::open(&second);
        let same = place & !0xffff == library.place() & !0xffff;
        match same {
            true => Some(library),
            false => {
                library.close();
                occupy(tries);
                None
            }
        }
    });
    let library = replaced.expect("a library at the place of another");
    fixture.walker.stepper.modules.refresh();
    look_from(&library, &mut probe).unwrap();
}

#[test]
fn a_library_that_is_closed_and_one_that_is_opened_then_are_followed() {
    let builder = Builder::new();
    let [first, second] = pair(&builder);
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    let library = Library::open(&first);
    fixture.walker.stepper.modules.refresh();
    look_from(&library, &mut probe).unwrap();
    let place = library.place();
    library.close();
    // Its rules are in use, so it stays where it was, and nothing else comes there.
    let other = Library::open(&second);
    assert_ne!(place & !0xffff, other.place() & !0xffff);
    fixture.walker.stepper.modules.refresh();
    look_from(&other, &mut probe).unwrap();
    let again = Library::open(&first);
    assert_eq!(again.place(), place);
    look_from(&again, &mut probe).unwrap();
    look_from(&other, &mut probe).unwrap();
}
