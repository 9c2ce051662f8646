//! The order of keys in a canonical document: that of the policy reference.
//!
//! It never reorders what has an order of its own: lists, tools, counters, and data such as constants and JSON Schemas.

use super::node::{Data, Member, Node};

/// The keys of one kind of object, in order, and what stands under each.
#[derive(Debug)]
pub(in crate::policy) struct Shape {
    pub(in crate::policy) keys: &'static [(&'static str, Inside)],
}

/// What stands under a key.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) enum Inside {
    /// Text, numbers, or data that keeps its order.
    Data,
    /// An object of a shape.
    One(&'static Shape),
    /// A list of them.
    List(&'static Shape),
    /// An object with names for keys, and such objects under them.
    Named(&'static Shape),
}

use Inside::{List, Named, One};

pub(in crate::policy) static DOCUMENT: Shape = Shape {
    keys: &[
        ("version", Inside::Data),
        ("description", Inside::Data),
        ("default", Inside::Data),
        ("hide", Inside::Data),
        ("show_unlisted", Inside::Data),
        ("methods", Inside::Data),
        ("resources", One(&SURFACE)),
        ("prompts", One(&SURFACE)),
        ("counters", Named(&COUNTER)),
        ("all_tools", One(&ALL_TOOLS)),
        ("tools", Named(&TOOL)),
        ("tests", List(&TEST)),
    ],
};

pub(in crate::policy) static TOOL: Shape = Shape {
    keys: &[
        ("action", Inside::Data),
        ("reason", Inside::Data),
        ("shadow", Inside::Data),
        ("schema", Inside::Data),
        ("require", List(&ENTRY)),
        ("deny_if", List(&ENTRY)),
        ("approve_if", List(&APPROVE_ENTRY)),
        ("rate_limit", One(&RATE_LIMIT)),
        ("limits", List(&LIMIT)),
    ],
};

pub(in crate::policy) static ALL_TOOLS: Shape = Shape {
    keys: &[
        ("require", List(&ENTRY)),
        ("deny_if", List(&ENTRY)),
        ("approve_if", List(&APPROVE_ENTRY)),
        ("limits", List(&LIMIT)),
    ],
};

pub(in crate::policy) static ENTRY: Shape = Shape {
    keys: &[
        ("conditions", List(&CONDITION)),
        ("if_missing", Inside::Data),
        ("zone", Inside::Data),
        ("shadow", Inside::Data),
        ("on_deny", Inside::Data),
    ],
};

pub(in crate::policy) static APPROVE_ENTRY: Shape = Shape {
    keys: &[
        ("conditions", List(&CONDITION)),
        ("if_missing", Inside::Data),
        ("zone", Inside::Data),
        ("shadow", Inside::Data),
        ("note", Inside::Data),
        ("expires", Inside::Data),
        ("wait", Inside::Data),
        ("on_deny", Inside::Data),
    ],
};

/// A test, or several conditions under one word.
pub(in crate::policy) static CONDITION: Shape = Shape {
    keys: &[
        ("path", Inside::Data),
        ("op", Inside::Data),
        ("value", Inside::Data),
        ("any", List(&CONDITION)),
        ("all", List(&CONDITION)),
        ("not", One(&CONDITION)),
    ],
};

pub(in crate::policy) static LIMIT: Shape = Shape {
    keys: &[
        ("counter", Inside::Data),
        ("window", Inside::Data),
        ("max", Inside::Data),
        ("concurrent", Inside::Data),
        ("scope", Inside::Data),
        ("by", Inside::Data),
        ("increment", Inside::Data),
        ("increment_from", Inside::Data),
        ("burst", Inside::Data),
        ("align", Inside::Data),
        ("refund_on", Inside::Data),
        ("on_deny", Inside::Data),
        ("shadow", Inside::Data),
    ],
};

/// A limit whose name is the key that it stands under.
pub(in crate::policy) static COUNTER: Shape = Shape {
    keys: &[
        ("window", Inside::Data),
        ("max", Inside::Data),
        ("concurrent", Inside::Data),
        ("scope", Inside::Data),
        ("by", Inside::Data),
        ("increment", Inside::Data),
        ("increment_from", Inside::Data),
        ("burst", Inside::Data),
        ("align", Inside::Data),
        ("refund_on", Inside::Data),
        ("on_deny", Inside::Data),
        ("shadow", Inside::Data),
    ],
};

pub(in crate::policy) static RATE_LIMIT: Shape = Shape {
    keys: &[("max", Inside::Data), ("window", Inside::Data)],
};

/// `resources` and `prompts`.
pub(in crate::policy) static SURFACE: Shape = Shape {
    keys: &[
        ("default", Inside::Data),
        ("allow", Inside::Data),
        ("hide", Inside::Data),
        ("limits", List(&LIMIT)),
    ],
};

pub(in crate::policy) static TEST: Shape = Shape {
    keys: &[
        ("call", One(&CALL)),
        ("expect", Inside::Data),
        ("rule", Inside::Data),
        ("times", Inside::Data),
        ("at", Inside::Data),
    ],
};

pub(in crate::policy) static CALL: Shape = Shape {
    keys: &[("tool", Inside::Data), ("args", Inside::Data)],
};

/// A document with its keys in order.
pub(super) fn arranged(document: Node) -> Node {
    one(document, &DOCUMENT)
}

fn one(node: Node, shape: &'static Shape) -> Node {
    let Data::Object(members) = node.data else {
        return node;
    };
    let place = |member: &Member| {
        let found = shape.keys.iter().position(|(key, _)| *key == member.key);
        found.unwrap_or(shape.keys.len())
    };
    let mut members: Vec<Member> = members
        .into_iter()
        .map(|member| {
            let inside = shape.keys.iter().find(|(key, _)| *key == member.key);
            let inside = inside.map_or(Inside::Data, |(_, inside)| *inside);
            Member {
                value: within(member.value, inside),
                ..member
            }
        })
        .collect();
    members.sort_by_key(place);
    Node {
        origin: node.origin,
        data: Data::Object(members),
    }
}

fn within(node: Node, inside: Inside) -> Node {
    let Node { origin, data } = node;
    let data = match (inside, data) {
        (One(shape), data @ Data::Object(_)) => return one(Node { origin, data }, shape),
        (List(shape), Data::List(elements)) => Data::List(
            elements
                .into_iter()
                .map(|element| one(element, shape))
                .collect(),
        ),
        (Named(shape), Data::Object(members)) => Data::Object(
            members
                .into_iter()
                .map(|member| Member {
                    value: one(member.value, shape),
                    ..member
                })
                .collect(),
        ),
        (_, data) => data,
    };
    Node { origin, data }
}
