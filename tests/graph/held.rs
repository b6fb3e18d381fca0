//! Programs whose blocks are all held by somebody.

use crate::foreign;
use crate::{Build, Program};
use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, LinkedList, VecDeque};
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

pub(crate) const ALL: [Build; 35] = [
    ("boxes", || {
        kept((0..1_000).map(Box::new).collect::<Vec<Box<u64>>>())
    }),
    ("strings", || kept((0..1_000).map(text).collect::<Vec<_>>())),
    ("hash-map", || {
        kept(
            (0..1_000)
                .map(|at| (text(at), vec![text(at)]))
                .collect::<HashMap<_, _>>(),
        )
    }),
    ("b-tree-map", || {
        kept(
            (0..1_000)
                .map(|at| (text(at), Box::new(at)))
                .collect::<BTreeMap<_, _>>(),
        )
    }),
    ("b-tree-set", || {
        kept((0..1_000).map(text).collect::<BTreeSet<_>>())
    }),
    ("deque", || {
        kept((0..1_000).map(text).collect::<VecDeque<_>>())
    }),
    ("heap", || {
        kept((0..1_000).map(text).collect::<BinaryHeap<_>>())
    }),
    ("linked-list", || {
        kept((0..1_000).map(text).collect::<LinkedList<_>>())
    }),
    ("rc", || {
        kept((0..1_000).map(|at| Rc::new(text(at))).collect::<Vec<_>>())
    }),
    ("arc-slices", || {
        kept(
            (0..1_000)
                .map(|at| Arc::<str>::from(text(at)))
                .collect::<Vec<_>>(),
        )
    }),
    ("arc-into-raw", || {
        kept(
            (0..1_000)
                .map(|at| Arc::into_raw(Arc::new(text(at))) as usize)
                .collect::<Vec<_>>(),
        )
    }),
    ("weak-only", || {
        kept(
            (0..1_000)
                .map(|at| Rc::downgrade(&Rc::new([at; 4])))
                .collect::<Vec<_>>(),
        )
    }),
    ("closures", || {
        kept((0..1_000).map(closure).collect::<Vec<_>>())
    }),
    ("half-taken-iterator", half_taken),
    ("inline-or-heap", || {
        kept((0..1_000).map(inline_or_heap).collect::<Vec<_>>())
    }),
    ("bytes", || {
        kept(
            (0..1_000)
                .map(|at| axum::body::Bytes::from(text(at)).slice(1..))
                .collect::<Vec<_>>(),
        )
    }),
    ("aligned", || {
        kept(
            (0..100)
                .map(|at| (Box::new(Wide([at; 64])), Box::new(Page([at; 4096]))))
                .collect::<Vec<_>>(),
        )
    }),
    ("middle-of-a-large-block", middle_of_large),
    ("untouched", untouched),
    ("held-cycle", held_cycle),
    ("static-mutex", static_mutex),
    ("leaked-in-static", leaked_in_static),
    ("thread-local", thread_local),
    ("thread-local-of-another", thread_local_of_another),
    ("stack-of-another", stack_of_another),
    ("channel", channel),
    ("tokio", tokio_tasks),
    ("c-memory", foreign::c_memory),
    ("mapped-c-memory", foreign::mapped_c_memory),
    ("pool-of-a-c-program", foreign::pool_of_c),
    ("memory-of-the-inner-allocator", foreign::memory_of_inner),
    ("pthread-key", pthread_key),
    ("mapped-buffer", || mapped(libc::MAP_PRIVATE)),
    ("shared-buffer", || mapped(libc::MAP_SHARED)),
    ("past-the-end", past_the_end),
];

fn kept<T: Any>(kept: T) -> Program {
    Program {
        kept: Box::new(kept),
        ..Program::default()
    }
}

pub(crate) fn text(at: u64) -> String {
    format!("the {at}th text, long enough for the heap")
}

fn closure(at: u64) -> Box<dyn Fn() -> usize> {
    let text = text(at);
    Box::new(move || text.len())
}

fn half_taken() -> Program {
    let mut texts = (0..1_000).map(text).collect::<Vec<_>>().into_iter();
    let taken: Vec<_> = texts.by_ref().take(500).collect();
    kept((texts, taken))
}

enum InlineOrHeap {
    Inline(#[expect(dead_code, reason = "is there to be held")] [u8; 16]),
    Heap(#[expect(dead_code, reason = "is there to be held")] Vec<u8>),
}

fn inline_or_heap(at: u64) -> InlineOrHeap {
    match at % 2 {
        0 => InlineOrHeap::Inline([1; 16]),
        _ => InlineOrHeap::Heap(vec![1; 40]),
    }
}

#[repr(align(64))]
struct Wide(#[expect(dead_code, reason = "is there to be held")] [u8; 64]);

#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "is there to be held")] [u8; 4096]);

fn middle_of_large() -> Program {
    let mut large = vec![0_usize; 1 << 20];
    for (at, place) in large.iter_mut().enumerate().skip(1_000).step_by(5_000) {
        *place = Box::into_raw(Box::new(at)) as usize;
    }
    kept(large)
}

/// Buffers of which at most the page before was ever written to: pointers to their starts, and to the middle
/// of others.
fn untouched() -> Program {
    static STARTS: Mutex<Vec<Vec<Page>>> = Mutex::new(Vec::new());
    static MIDDLES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let buffers = (0..20).map(|_| Vec::with_capacity(64));
    STARTS.lock().expect("no panic").extend(buffers);
    let middles = (0..20).map(|_| {
        let buffer = ManuallyDrop::new(Vec::<u8>::with_capacity(1 << 20));
        buffer.as_ptr() as usize + (1 << 19)
    });
    MIDDLES.lock().expect("no panic").extend(middles);
    Program::default()
}

struct Ring {
    next: RefCell<Option<Rc<Ring>>>,
    back: RefCell<Weak<Ring>>,
}

fn held_cycle() -> Program {
    let rings = (0..500).map(|_| {
        let ring = || {
            Rc::new(Ring {
                next: RefCell::default(),
                back: RefCell::default(),
            })
        };
        let (first, second) = (ring(), ring());
        *first.next.borrow_mut() = Some(Rc::clone(&second));
        *second.back.borrow_mut() = Rc::downgrade(&first);
        *second.next.borrow_mut() = Some(Rc::clone(&first));
        first
    });
    kept(rings.collect::<Vec<_>>())
}

fn static_mutex() -> Program {
    static TEXTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    TEXTS.lock().expect("no panic").extend((0..1_000).map(text));
    Program::default()
}

fn leaked_in_static() -> Program {
    static LEAKED: AtomicPtr<Vec<String>> = AtomicPtr::new(null_mut());
    LEAKED.store(Box::leak(Box::new((0..1_000).map(text).collect())), SeqCst);
    // Somebody reads it: else there is no such static.
    black_box(LEAKED.load(SeqCst));
    Program::default()
}

thread_local! {
    static LOCAL: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn thread_local() -> Program {
    LOCAL.with_borrow_mut(|texts| texts.extend((0..1_000).map(text)));
    Program::default()
}

/// A thread that holds what `hold` makes until the program ends.
fn thread_with<T>(hold: impl FnOnce() -> T + Send + 'static) -> Program {
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let thread = thread::spawn(move || {
        let held = hold();
        tell.send(()).expect("somebody waits");
        let _ = ended.recv();
        drop(held);
    });
    told.recv().expect("it begins");
    kept((end, thread))
}

fn thread_local_of_another() -> Program {
    thread_with(|| LOCAL.with_borrow_mut(|texts| texts.extend((0..1_000).map(text))))
}

fn stack_of_another() -> Program {
    thread_with(|| std::array::from_fn::<_, 100, _>(|at| text(at as u64)))
}

fn channel() -> Program {
    let (sender, receiver) = mpsc::channel();
    (0..1_000).for_each(|at| sender.send(text(at)).expect("there is a receiver"));
    kept((sender, receiver))
}

fn tokio_tasks() -> Program {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<String>(10_000);
    let (never, waits) = tokio::sync::watch::channel(false);
    for at in 0..500 {
        let mut waits = waits.clone();
        runtime.spawn(async move {
            let texts = [text(at), text(at + 1)];
            let _ = waits.changed().await;
            drop(texts);
        });
        let sender = sender.clone();
        runtime.spawn(async move {
            sender.send(text(at)).await.expect("there is a receiver");
            tokio::time::sleep(std::time::Duration::from_secs(3_600)).await;
        });
    }
    let first = runtime.block_on(receiver.recv());
    kept((runtime, sender, receiver, never, first))
}

fn pthread_key() -> Program {
    // SAFETY: a key without a destructor, and a value that is only kept.
    unsafe {
        let mut key = 0;
        assert_eq!(libc::pthread_key_create(&mut key, None), 0);
        let texts: Box<Vec<String>> = Box::new((0..1_000).map(text).collect());
        assert_eq!(
            libc::pthread_setspecific(key, Box::into_raw(texts).cast()),
            0
        );
    }
    Program::default()
}

fn mapped(sharing: i32) -> Program {
    const LEN: usize = 1_000;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let bytes = LEN * size_of::<usize>();
    // SAFETY: a fresh mapping with room for so many pointers, which stays.
    unsafe {
        let flags = sharing | libc::MAP_ANONYMOUS;
        let buffer = libc::mmap(null_mut(), bytes, protection, flags, -1, 0);
        assert_ne!(buffer, libc::MAP_FAILED);
        for at in 0..LEN {
            let block = Box::into_raw(Box::new(at as u64));
            buffer.cast::<*mut u64>().add(at).write(block);
        }
    }
    Program {
        foreign: LEN as u64 - 10,
        ..Program::default()
    }
}

fn past_the_end() -> Program {
    let ends = (0..1_000_usize).map(|at| {
        let block = Box::leak(Box::new([at; 4]));
        block.as_ptr_range().end as usize
    });
    kept(ends.collect::<Vec<_>>())
}
