//! Calls on stacks that are not the thread's own.

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::cell::Cell;

thread_local! {
    static OTHER_STACKS: Cell<usize> = const { Cell::new(0) };
}

/// Whether the caller's frame is on the stack that the system gave its thread.
pub(crate) fn is_on_own_stack() -> bool {
    OTHER_STACKS.get() == 0
}

/// Counts the stacks left behind, also where a panic ends the stay.
struct Stay;

impl Stay {
    fn begin() -> Self {
        OTHER_STACKS.set(OTHER_STACKS.get() + 1);
        Self
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        OTHER_STACKS.set(OTHER_STACKS.get() - 1);
    }
}

/// Runs `work` in a coroutine with each of the turns below `turns`. After each it comes back to the
/// stack that it was called on, and runs `work` there, with no turn.
#[inline(never)]
pub(crate) fn in_turns(turns: usize, mut work: &mut dyn FnMut(Option<usize>)) {
    // Room for the deepest of recursions.
    let stack = DefaultStack::new(16 << 20).expect("room for a stack");
    // A coroutine may live as long as it likes, but this one does not: it is dropped before `work`.
    let work: *mut () = (&raw mut work).cast();
    let on_turn = move |turn| {
        let work = work.cast::<&mut dyn FnMut(Option<usize>)>();
        // SAFETY: the local above. The two users of this closure take turns.
        unsafe { (*work)(turn) }
    };
    let mut coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        for turn in 0..turns {
            on_turn(Some(turn));
            yielder.suspend(());
        }
    });
    loop {
        let stay = Stay::begin();
        let result = coroutine.resume(());
        drop(stay);
        if let CoroutineResult::Return(()) = result {
            break;
        }
        on_turn(None);
    }
}
