//! Tells: a placeholder of the room that another branch builds; it is replaced at the merge and never extended here.

use std::marker::PhantomData;

/// A call whose decision line is written: the only way to an upstream.
#[derive(Debug)]
pub struct Recorded<'p>(PhantomData<&'p ()>);
