//! placeholder, replaced at merge.
