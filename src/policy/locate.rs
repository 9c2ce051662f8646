//! Where in a document the value that a JSON Pointer (RFC 6901) names stands.
//!
//! It never reads what stands there.

use crate::json::{Duplicates, Position, Reader, Value};

/// Line and column of each value; `None` for a pointer that leads nowhere, and for all where the document is no JSON.
pub(super) fn positions<'p>(
    source: &[u8],
    pointers: impl IntoIterator<Item = &'p str>,
) -> Vec<Option<Position>> {
    let mut reader = Reader::new(Duplicates::Kept);
    let document = reader.read(source);
    let position = |pointer: &str| {
        let root = document.as_ref().ok()?.root();
        Some(value_at(root, pointer)?.position())
    };
    pointers.into_iter().map(position).collect()
}

/// The value that a pointer names.
pub(super) fn value_at<'a>(root: Value<'a>, pointer: &str) -> Option<Value<'a>> {
    let mut here = root;
    for token in pointer.split('/').skip(1) {
        here = match here.elements().next() {
            Some(_) => here.elements().nth(token.parse().ok()?)?,
            None => here.member(&token.replace("~1", "/").replace("~0", "~"))?,
        };
    }
    Some(here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_followed_to_its_value() {
        let source = b"{\"a/b\":\n [10, {\"~\": true}],\n  \"\": {\"0\": null}}";
        let found = positions(
            source,
            ["", "/a~1b", "/a~1b/1/~0", "//0", "/a~1b/2", "/x", "/a~1b/x"],
        );
        let at = |line, column| Some(Position { line, column });
        assert_eq!(
            found,
            [at(1, 1), at(2, 2), at(2, 13), at(3, 13), None, None, None]
        );
        assert_eq!(positions(b"{", [""]), [None]);
    }
}
