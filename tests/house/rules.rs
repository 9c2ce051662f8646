//! The rules of the house, each a function from one file to what is wrong in it.
//!
//! Never reads a file itself: a rule sees a `Source` and nothing else, so that each can be shown a small text that breaks it.

use crate::source::{Function, Source, line_of, words};

/// Line and what is wrong there.
pub(crate) type Finding = (usize, String);

/// Every room and its floor. A room may use the rooms on lower floors; see `may_use` for the rest.
const FLOORS: &[(&str, u8)] = &[
    ("json", 0),
    ("policy", 0),
    ("mcp", 0),
    ("risk", 0),
    ("clock", 1),
    ("store", 1),
    ("catalogue", 1),
    ("counters", 1),
    ("approvals", 1),
    ("sessions", 1),
    ("grants", 2),
    ("record", 2),
    ("upstream", 3),
    ("config", 4),
    ("gateway", 5),
    ("admin", 5),
    ("cli", 6),
    ("lib", 7),
    ("main", 7),
];

/// What the pure floor never says: no I/O, no async, no clock, no locks, no metrics.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "hyper",
    "futures",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::fs",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "Mutex",
    "RwLock",
    "parking_lot",
    "metrics",
    "tracing",
    "println",
    "eprintln",
];
const CLOCK_READS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "clock_gettime",
    "Zoned::now",
    ".elapsed",
];
const NAMES_THAT_SAY_NOTHING: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "types", "manager",
];
const FILE_LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 60;
const FUNCTION_LINES_MAX: usize = 60;
const ARGUMENTS_MAX: usize = 4;
const NUMBERS: &[&str] = &[
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64", "char",
];

fn floor(room: &str) -> Option<u8> {
    FLOORS
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

/// Lower floors; on floor 0 also `json`, on floor 1 also `clock` and `store`.
fn may_use(room: &str, used: &str) -> bool {
    let (Some(here), Some(there)) = (floor(room), floor(used)) else {
        return false;
    };
    let is_shared = match here {
        0 => used == "json",
        1 => used == "clock" || used == "store",
        _ => false,
    };
    room == used || there < here || is_shared
}

pub(crate) fn rooms_stand_on_their_floors(source: &Source) -> Vec<Finding> {
    let Some(room) = source.room() else {
        return Vec::new();
    };
    if floor(room).is_none() {
        return vec![(
            1,
            format!("`{room}` is not a room of the house: give it a floor, or another place"),
        )];
    }
    let used = source
        .rooms_named()
        .into_iter()
        .filter(|(_, used)| floor(used).is_some() || used == "*");
    used.filter(|(_, used)| !may_use(room, used))
        .map(|(line, used)| (line, format!("`{room}` may not use `{used}`")))
        .collect()
}

pub(crate) fn only_the_clock_reads_the_time(source: &Source) -> Vec<Finding> {
    if matches!(source.room(), None | Some("clock")) {
        return Vec::new();
    }
    said(source, CLOCK_READS)
        .into_iter()
        .map(|(line, word)| (line, format!("`{word}` belongs in the clock")))
        .collect()
}

pub(crate) fn the_lowest_floor_is_pure(source: &Source) -> Vec<Finding> {
    if source.room().and_then(floor) != Some(0) {
        return Vec::new();
    }
    said(source, IMPURE)
        .into_iter()
        .map(|(line, word)| (line, format!("`{word}` on the pure floor")))
        .collect()
}

/// Where shipped code says one of these words, or brings one in by `use`.
fn said(source: &Source, what: &[&str]) -> Vec<Finding> {
    let plain = what.iter().flat_map(|word| {
        words(&source.shipped, word)
            .map(|(at, _)| (line_of(&source.shipped, at), (*word).to_owned()))
    });
    let mut found: Vec<Finding> = plain.collect();
    for (line, path) in source.uses() {
        let hits = what.iter().filter(|word| {
            path == **word
                || path.starts_with(&format!("{word}::"))
                || path.starts_with(&format!("{word} as"))
        });
        found.extend(hits.map(|word| (line, (*word).to_owned())));
    }
    found.sort();
    found.dedup();
    found
}

pub(crate) fn a_file_says_what_it_is_for(source: &Source) -> Vec<Finding> {
    let is_told = source
        .text
        .lines()
        .next()
        .is_some_and(|line| line.starts_with("//! ") && line.len() > "//! ".len());
    if is_told {
        Vec::new()
    } else {
        vec![(
            1,
            "the file does not open with `//! ` and what it does".to_owned(),
        )]
    }
}

pub(crate) fn a_file_fits_in_the_head(source: &Source) -> Vec<Finding> {
    let max = if source.path == "src/main.rs" {
        MAIN_LINES_MAX
    } else {
        FILE_LINES_MAX
    };
    let lines = source.text.lines().count();
    if lines <= max {
        Vec::new()
    } else {
        vec![(max + 1, format!("{lines} lines, at most {max}"))]
    }
}

pub(crate) fn a_function_fits_on_a_screen(source: &Source) -> Vec<Finding> {
    let long = source
        .functions()
        .into_iter()
        .filter(|function| function.length > FUNCTION_LINES_MAX);
    long.map(|function| {
        (
            function.line,
            format!(
                "`{}` has {} lines, at most {FUNCTION_LINES_MAX}",
                function.name, function.length
            ),
        )
    })
    .collect()
}

pub(crate) fn names_say_something(source: &Source) -> Vec<Finding> {
    let parts = source
        .path
        .split('/')
        .map(|part| part.trim_end_matches(".rs"));
    let mut found: Vec<Finding> = parts
        .filter(|part| NAMES_THAT_SAY_NOTHING.contains(part))
        .map(|part| (1, format!("a file or folder called `{part}`")))
        .collect();
    for name in NAMES_THAT_SAY_NOTHING {
        let modules =
            words(&source.code, name).filter(|(at, _)| source.code[..*at].ends_with("mod "));
        found.extend(modules.map(|(at, _)| {
            (
                line_of(&source.code, at),
                format!("a module called `{name}`"),
            )
        }));
    }
    for function in source.shipped_functions() {
        let is_empty = ["get_", "do_", "handle_"]
            .iter()
            .any(|start| function.name.starts_with(start))
            || function.name.ends_with("_impl");
        if is_empty {
            found.push((
                function.line,
                format!("a function called `{}`", function.name),
            ));
        }
    }
    found
}

pub(crate) fn nothing_is_unwrapped_or_left_undone(source: &Source) -> Vec<Finding> {
    let banned = [
        ".unwrap()",
        "todo!",
        "unimplemented!",
        "macro_rules!",
        "unsafe",
    ];
    let hits = banned.iter().flat_map(|word| {
        words(&source.shipped, word).map(move |(at, _)| {
            (
                line_of(&source.shipped, at),
                format!("`{word}` outside tests"),
            )
        })
    });
    hits.collect()
}

pub(crate) fn signatures_cannot_be_mixed_up(source: &Source) -> Vec<Finding> {
    let public = source
        .shipped_functions()
        .into_iter()
        .filter(|function| function.is_public);
    public
        .flat_map(|function| {
            flaws_of(&function)
                .into_iter()
                .map(move |flaw| (function.line, format!("`{}` {flaw}", function.name)))
        })
        .collect()
}

fn flaws_of(function: &Function) -> Vec<&'static str> {
    let kinds: Vec<&str> = function
        .arguments
        .iter()
        .filter_map(|argument| argument.split_once(": "))
        .map(|(_, kind)| kind)
        .collect();
    let mut flaws = Vec::new();
    if function.arguments.len() > ARGUMENTS_MAX {
        flaws.push("has more than four arguments");
    }
    if kinds
        .iter()
        .any(|kind| ["bool", "&bool", "&mut bool", "Option<bool>"].contains(kind))
    {
        flaws.push("takes a bool");
    }
    if kinds
        .windows(2)
        .any(|pair| pair[0] == pair[1] && NUMBERS.contains(&pair[0]))
    {
        flaws.push("takes two numbers of one type in a row");
    }
    flaws
}

/// Over test code: what is in `code` and not in `shipped`.
pub(crate) fn tests_all_run_and_none_sleeps(source: &Source) -> Vec<Finding> {
    let is_test_code = |at: &usize| {
        source
            .shipped
            .as_bytes()
            .get(*at)
            .is_none_or(|byte| *byte == b' ')
    };
    let mut found = Vec::new();
    for word in ["ignore", "sleep", "sleep_until", "sleep_ms"] {
        let hits = words(&source.code, word).filter(|(at, _)| is_test_code(at));
        let real = hits.filter(|(at, _)| {
            if word == "ignore" {
                source.code[..*at].ends_with("#[")
            } else {
                source.code[at + word.len()..].starts_with('(')
            }
        });
        found
            .extend(real.map(|(at, _)| (line_of(&source.code, at), format!("`{word}` in a test"))));
    }
    found
}
