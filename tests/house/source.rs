//! Reads Rust source as text: what is code, what is test code, which paths it names, where its functions begin and end.
//!
//! Never compiles anything and never expands macros: it sees what a reader sees. Good enough to hold a tidy, rustfmt-ed tree to
//! its rules; not a parser.

/// One file: its path from the repository's root, with `/`, and its text.
pub(crate) struct Source {
    pub path: String,
    pub text: String,
    /// `text` with comments and literals blanked, line by line the same.
    pub code: String,
    /// `code` with `#[cfg(test)]` items blanked too; empty for a file that is all tests.
    pub shipped: String,
}

/// One function: its header up to the body, and its lines.
pub(crate) struct Function {
    pub line: usize,
    pub length: usize,
    pub name: String,
    pub is_public: bool,
    /// The arguments without `self`, each as `name: Type`.
    pub arguments: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        let code = without_comments_and_literals(text);
        let is_all_tests = !path.starts_with("src/") && !path.starts_with("loadtest/src/")
            || path.ends_with("tests.rs")
            || path.contains("/tests/");
        let shipped = if is_all_tests {
            blank(&code)
        } else {
            without_tests(&code)
        };
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            shipped,
        }
    }

    /// The room this file belongs to: the first name under `src`. `None` outside `src`.
    pub(crate) fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        inside.split('/').next()?.trim_end_matches(".rs").into()
    }

    /// How many modules deep this file is: 0 for lib.rs and main.rs, 1 for a room's door, 2 for a file inside.
    fn depth(&self) -> usize {
        let names = self.path.trim_start_matches("src/").split('/').count();
        names
            - usize::from(
                ["mod.rs", "lib.rs", "main.rs"]
                    .iter()
                    .any(|door| self.path.ends_with(door)),
            )
    }

    /// The first names under the crate's root that shipped code speaks of, with their lines.
    pub(crate) fn rooms_named(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in words(&self.shipped, "crate") {
            let after = &self.shipped[at + "crate".len()..];
            if let Some(rest) = after.strip_prefix("::") {
                found.extend(
                    first_names(rest)
                        .into_iter()
                        .map(|name| (line_of(&self.shipped, at), name)),
                );
            } else if after.trim_start().starts_with("as ") {
                found.push((line_of(&self.shipped, at), "*".to_owned()));
            }
        }
        let to_the_root = "super::".repeat(self.depth());
        for (at, _) in self
            .shipped
            .match_indices(&to_the_root)
            .filter(|_| !to_the_root.is_empty())
        {
            if !self.shipped[..at].ends_with("super::") {
                let names = first_names(&self.shipped[at + to_the_root.len()..]);
                found.extend(
                    names
                        .into_iter()
                        .map(|name| (line_of(&self.shipped, at), name)),
                );
            }
        }
        found
    }

    /// Every path that a `use` of shipped code brings in, written out in full, with its line.
    pub(crate) fn uses(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (at, _) in words(&self.shipped, "use") {
            let statement = self.shipped[at + 3..].split(';').next().unwrap_or("");
            let tight: String = statement
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace(":: ", "::")
                .replace(" ::", "::");
            let line = line_of(&self.shipped, at);
            found.extend(written_out("", &tight).into_iter().map(|path| (line, path)));
        }
        found
    }

    pub(crate) fn functions(&self) -> Vec<Function> {
        words(&self.code, "fn")
            .filter_map(|(at, _)| function_at(&self.code, at))
            .collect()
    }

    /// Functions of shipped code only.
    pub(crate) fn shipped_functions(&self) -> Vec<Function> {
        words(&self.shipped, "fn")
            .filter_map(|(at, _)| function_at(&self.shipped, at))
            .collect()
    }
}

/// Where `word` stands as a whole word.
pub(crate) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = (usize, &'t str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).filter(move |(at, _)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let begins_alone = !word.starts_with(is_part) || !before.is_some_and(is_part);
        let ends_alone = !word.ends_with(is_part) || !after.is_some_and(is_part);
        begins_alone && ends_alone
    })
}

/// The line, counted from 1, on which the byte at `at` stands.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// `a::b` gives `a`; `{a::b, c}` gives `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let name = |part: &str| {
        part.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || "_*".contains(*c))
            .collect::<String>()
    };
    match path.trim_start().strip_prefix('{') {
        Some(group) => split_at_top(group, ',')
            .iter()
            .map(|part| name(part))
            .filter(|name| !name.is_empty())
            .collect(),
        None => vec![name(path)],
    }
}

/// `std::{fs, io::{self, Read}}` as `std::fs`, `std::io::self`, `std::io::Read`.
fn written_out(prefix: &str, tree: &str) -> Vec<String> {
    match tree.split_once('{') {
        Some((path, group)) if !path.contains(',') => {
            let prefix = format!("{prefix}{}", path.trim());
            split_at_top(group, ',')
                .iter()
                .flat_map(|part| written_out(&prefix, part.trim()))
                .collect()
        }
        _ => vec![format!("{prefix}{}", tree.trim())],
    }
}

/// The parts of `text` between separators that stand outside all brackets, up to the bracket that closes more than was opened.
fn split_at_top(text: &str, separator: char) -> Vec<String> {
    let (mut parts, mut part, mut depth, mut before) = (Vec::new(), String::new(), 0usize, ' ');
    for c in text.chars() {
        let is_arrow = c == '>' && before == '-';
        match c {
            ')' | ']' | '}' if depth == 0 => break,
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' if !is_arrow => depth = depth.saturating_sub(1),
            _ => (),
        }
        if c == separator && depth == 0 {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
        before = c;
    }
    parts.push(part);
    parts
}

fn function_at(code: &str, at: usize) -> Option<Function> {
    let header = &code[at + 2..];
    let name: String = header
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    if name.is_empty() {
        return None; // `fn(u8) -> u8`, a type
    }
    let after_generics = after_generics(header);
    let inside = after_generics.strip_prefix('(')?;
    let arguments = split_at_top(inside, ',')
        .into_iter()
        .map(|argument| argument.split_whitespace().collect::<Vec<_>>().join(" "));
    let arguments = arguments
        .filter(|argument| !argument.is_empty() && words(argument, "self").next().is_none())
        .collect();
    let line = line_of(code, at);
    let length = body_end(code, at).map_or(1, |end| line_of(code, end) - line + 1);
    let line_start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let is_public = code[line_start..at].trim_start().starts_with("pub");
    Some(Function {
        line,
        length,
        name,
        is_public,
        arguments,
    })
}

/// What follows the name and the generics of a function's header.
fn after_generics(header: &str) -> &str {
    let mut depth = 0usize;
    let mut before = ' ';
    for (at, c) in header.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            '(' if depth == 0 => return &header[at..],
            _ => (),
        }
        before = c;
    }
    ""
}

/// Where the body that begins after `at` ends: its closing brace. `None` for a declaration without one.
fn body_end(code: &str, at: usize) -> Option<usize> {
    let (mut braces, mut others) = (0usize, 0usize);
    for (offset, c) in code[at..].char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            ';' if braces == 0 && others == 0 => return None,
            '{' => braces += 1,
            '}' if braces == 1 => return Some(at + offset),
            '}' => braces = braces.checked_sub(1)?,
            _ => (),
        }
    }
    None
}

fn without_tests(code: &str) -> String {
    let mut left = code.to_owned();
    while let Some(at) = left.find("#[cfg(test)]") {
        let item_end = left[at..].find(';').map(|offset| at + offset);
        let end = match (body_end(&left, at), item_end) {
            (Some(body), _) => body,
            (None, Some(semicolon)) => semicolon,
            (None, None) => left.len() - 1,
        };
        let blanked = blank(&left[at..=end]);
        left.replace_range(at..=end, &blanked);
    }
    left
}

fn blank(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect()
}

/// Comments, strings and characters become spaces; lines stay where they are.
fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let length = literal_length(rest, before).unwrap_or(0);
        if length > 0 {
            out.push_str(&blank(&rest[..length]));
            before = ' ';
            rest = &rest[length..];
        } else {
            out.push(c);
            before = c;
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The length of the comment or literal that `rest` begins with, if it does.
fn literal_length(rest: &str, before: char) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted_length(rest, '"'));
    }
    let is_in_a_word = before.is_alphanumeric() || before == '_';
    let raw = rest
        .trim_start_matches(['b', 'c'])
        .strip_prefix('r')
        .filter(|_| !is_in_a_word);
    if let Some(raw) = raw {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let begin = rest.len() - raw.len() + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return Some(
                rest[begin..]
                    .find(&close)
                    .map_or(rest.len(), |at| begin + at + close.len()),
            );
        }
    }
    let mut quoted = rest.strip_prefix('\'')?.chars();
    let first = quoted.next()?;
    (first == '\\' || quoted.next() == Some('\'')).then(|| quoted_length(rest, '\''))
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        let step = &rest.as_bytes()[at..];
        if step.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if step.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_length(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => (),
        }
    }
    rest.len()
}
