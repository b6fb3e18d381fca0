//! Libraries that are opened and closed while the program is profiled.

use crate::call_shapes::{Builder, FUNCTIONS, Library};
use crate::recorded::{Looks, Recorded};

pub(crate) fn is_followed(recorded: &mut Recorded) {
    let builder = Builder::new();
    // Alike in size, so that one fits where the other was.
    let room = "-Wl,-z,max-page-size=0x10000";
    let first = builder.build(&["-O2", "-fomit-frame-pointer", room]);
    let second = builder.build(&["-O2", "-mstackrealign", room]);

    // Met, but closed before it was found; then another one at its place.
    let replaced = (0..100).find_map(|_| {
        let library = Library::open(&first);
        look_from(&library);
        let place = library.place() >> 16;
        library.close();
        let library = Library::open(&second);
        if library.place() >> 16 == place {
            return Some(library);
        }
        library.close();
        None
    });
    let replaced = replaced.expect("a library at the place of another");
    look_from(&replaced);
    recorded.skip();
    recorded.compare(&look_from(&replaced)).unwrap();
    let place = replaced.place();
    replaced.close();

    // That one has been found, so it stays where it is, and the next one is elsewhere.
    let next = Library::open(&first);
    assert_ne!(next.place() >> 16, place >> 16);
    look_from(&next);
    recorded.skip();
    recorded.compare(&look_from(&next)).unwrap();
    let again = Library::open(&second);
    assert_eq!(again.place(), place);
    let mut looks = look_from(&again);
    looks.append(look_from(&next));
    recorded.compare(&looks).unwrap();
}

/// Looks from within each of a library's functions.
fn look_from(library: &Library) -> Looks {
    let mut looks = Looks::default();
    for function in 0..FUNCTIONS {
        library.call(function, 100, &mut || looks.look());
    }
    looks
}
